"""mrs seed N: fills the tables with N invented people and what comes with them."""
import base64
import csv
import datetime
import io
import json
import os
import pickle
import random
import time
from collections import Counter
from operator import itemgetter
from pathlib import Path

from django.conf import settings
from django.contrib.auth.hashers import make_password
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from caisse import regions
from caisse.models import Caisse, Region
from djcall import jobs
from djcall.models import Call, Caller
from explorer.models import Query
from institution.models import Institution
from mrs import people, texts
from mrsemail.models import EmailTemplate
from mrsrequest.models import MRSRequest, MRSRequestLogEntry
from mrsuser.models import User
from person.models import Person
from security_headers.models import FramingAllowedFrom

BATCH = 5_000  # people per COPY: about 20 MB of text
FILES = 200  # as many attachments have a file, the others only its name
CALLS = 10_000  # which is what djcall.jobs.prune leaves of them
AGENTS = 12
GROUPS = ['Admin', 'UPN', 'Stat', 'Support', 'Superviseur', 'Admin Local']

FIRST_DAY, LAST_DAY = datetime.date(2018, 4, 16), datetime.date(2025, 6, 30)
DAYS = [(FIRST_DAY + datetime.timedelta(days=n)).isoformat() for n in range((LAST_DAY - FIRST_DAY).days + 1)]
FRENCH_DATES = DAYS.index('2018-12-15')  # birth dates were typed as 1951-01-02 before
TOKENS = DAYS.index('2019-01-29')  # requests had none before

# The columns that are written, in the order of the rows: a table comes after those that it refers to.
TABLES = {
    'person_person': 'id first_name last_name birth_date email nir shifted use_email creation_datetime',
    'mrsrequest_mrsrequest':
        'id creation_datetime display_id status_datetime distancevp expensevp status caisse_id institution_id'
        ' insured_id status_user_id mandate_datevp payment_amount payment_base adeli delay saving taxi_cost'
        ' insured_shift data modevp expenseatp modeatp mandate_dateatp conflicts_accepted conflicts_resolved token'
        ' suspended pel expensevp_parking expensevp_toll convocation',
    'mrsrequest_transport': 'date_depart date_return mrsrequest_id',
    'mrsattachment_mrsattachment': 'id mrsrequest_uuid filename creation_datetime attachment_file',
    'mrsrequest_pmt': 'mrsattachment_ptr_id mrsrequest_id',
    'mrsrequest_bill': 'mrsattachment_ptr_id mrsrequest_id mode',
    'mrsrequest_mrsrequestlogentry': 'datetime comment data action mrsrequest_id user_id emailtemplate_id',
    'rating_rating': 'score comment creation_datetime mrsrequest_id',
    'contact_contact': 'subject name email message creation_datetime caisse_id mrsrequest_id',
    'djcall_caller': 'id status created spooled started ended kwargs callback max_attempts spooler',
    'djcall_call': 'created spooled started ended result exception status caller_id',
    'django_admin_log': 'action_time object_id object_repr action_flag change_message content_type_id user_id',
    'caisse_email': 'email caisse_id',
    'captcha_captchastore': 'challenge response hashkey expiration',
    'django_session': 'session_key session_data expire_date',
    'explorer_querylog': 'sql run_at query_id run_by_user_id duration connection',
}
# What has its ids from here, since others refer to it.
NUMBERED = 'person_person', 'mrsattachment_mrsattachment'
LOCKED = (*NUMBERED, 'mrsrequest_mrsrequest')

STATISTICS = (Path(people.__file__).parent / 'statistics.sql').read_text('utf-8')

PNG = base64.b64decode(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==')

KINDS = ['prescription', 'Ordonnance Dr', 'bulletin de présence', 'péage A6', 'reçu parking', "facture d'essence"]
NULL = '\\N'  # nobody types that, and an empty text is another thing


class Command(BaseCommand):
    help = 'Add N invented people, about 2N requests, and what comes with them.'

    def add_arguments(self, parser):
        parser.add_argument('people', type=int, metavar='N', help='how many people to add')
        parser.add_argument('--seed', type=int, default=1,
                            help='the same number gives the same people in the same database (default 1)')

    def handle(self, *args, people, seed, **options):
        if people < 1:
            raise CommandError('N must be at least 1')
        start = time.monotonic()
        with transaction.atomic(), connection.cursor() as cursor:
            added = Seed(cursor, seed).add(people, self.stdout.write)
        with connection.cursor() as cursor:
            cursor.execute('ANALYZE')
        self.stdout.write(
            '{people} people, {requests} requests and {attachments} attachments added'
            ' in {seconds:.1f} s'.format(seconds=time.monotonic() - start, **added))


class Seed:
    """Writes rows by COPY, in one transaction: all of them or none.

    The random numbers depend on the seed and on who is there already, so that
    adding twice adds two different crowds.
    """

    def __init__(self, cursor, seed):
        self.cursor = cursor
        # Explicit ids and a live application would collide without the lock.
        cursor.execute('LOCK TABLE {}, {}, {} IN SHARE ROW EXCLUSIVE MODE'.format(*LOCKED))
        # Else PostgreSQL remembers each row until the end, to look then where its foreign keys lead.
        cursor.execute('SET CONSTRAINTS ALL IMMEDIATE')
        os.makedirs(settings.MEDIA_ROOT, exist_ok=True)
        self.files = FILES - len(os.listdir(settings.MEDIA_ROOT))
        self.person_id, self.attachment_id = map(self.last_id, NUMBERED)
        self.rng = random.Random(f'{seed} {self.person_id}')
        cursor.execute('SELECT display_id / 10000, max(display_id % 10000) FROM mrsrequest_mrsrequest GROUP BY 1')
        self.numbers = Counter({f'{day}': number for day, number in cursor.fetchall()})
        self.rows = {table: [] for table in TABLES}
        self.caller_ids = self.new_ids('djcall_caller')
        self.calls = CALLS - Call.objects.count()
        self.admin_log_of = ContentType.objects.get_for_model(Person).pk
        jobs.write_rows()
        self.caisses = ensure_caisses()
        self.institutions = ensure_institutions()
        self.templates = ensure_templates()
        self.agents = self.ensure_agents()
        self.added = {'people': 0, 'requests': 0, 'attachments': 0}

    def last_id(self, table):
        self.cursor.execute(f'SELECT coalesce(max(id), 0) FROM {table}')
        return self.cursor.fetchone()[0]

    def new_ids(self, table):
        """Ids that nobody else gets: the application goes on to send mails."""
        while True:
            self.cursor.execute(
                "SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, 100)", [table])
            for row in self.cursor.fetchall():
                yield row[0]

    def add(self, wanted, say):
        """Adds the people, says how far it is, and returns how many of what it added."""
        start = said = time.monotonic()
        known = []
        while self.added['people'] < wanted:
            known = self.add_batch(min(BATCH, wanted - self.added['people']), wanted, known)
            now = time.monotonic()
            if now - said >= 2 and self.added['people'] < wanted:
                said = now
                done = self.added['people']
                say(f'{done} of {wanted} people, {done / (now - start):.0f}/s')
        self.add_traces(wanted, known)
        self.copy()
        self.cursor.execute('DELETE FROM mrsstat_stat')  # TRUNCATE would wait for a pg_dump
        self.cursor.execute(STATISTICS)
        for table in NUMBERED:
            self.cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
                ' HAVING max(id) IS NOT NULL')
        return self.added

    def add_batch(self, size, wanted, known):
        """Adds people with all that comes with them, and returns some of them.

        One in twelve is somebody of known, or of this batch, again. The people of
        all batches come one after the other, from the first day to the last.
        """
        rng = self.rng
        pick = rng.random
        crowd, asked = known, []
        for number in range(self.added['people'], self.added['people'] + size):
            if crowd and pick() < 1 / 12:
                person = crowd[int(pick() * len(crowd))].again(rng)
            else:
                person = people.Person(rng)
                crowd.append(person)
            self.person_id += 1
            day = int((number + pick()) / wanted * len(DAYS))
            self.rows['person_person'].append((
                self.person_id, person.first_name, person.last_name, or_null(person.birth_date), or_null(person.email),
                person.nir, 't' if pick() < .3 else NULL, 't' if pick() < .1 else NULL, moment(day, 25000)))
            if pick() < .03:
                self.add_admin_log(person, day)
            for _ in range(int(pick() * 5)):  # 0 to 4: 2 on average
                # 07:00 to 20:00, which is one day in Paris and in UTC
                asked.append((min(day + int(pick() ** 3 * 90), len(DAYS) - 1), 25200 + int(pick() * 46800),
                              self.person_id, person))
        for request in sorted(asked, key=itemgetter(0, 1, 2)):
            self.add_request(*request)
        self.added['people'] += size
        self.added['requests'] += len(asked)
        self.added['attachments'] += len(self.rows['mrsattachment_mrsattachment'])
        self.copy()
        return crowd[-1000:]

    def add_request(self, day, second, person_id, person):
        """Adds a request, and what comes with it."""
        pick = self.rng.random
        created = moment(day, second)
        waited = int(pick() * 17)
        later = min(day + waited, len(DAYS) - 1)
        done = max(created, moment(later, 28800 + int(pick() * 36000)))
        chance = pick()
        status = 1 if chance < .2 else 2000 if chance < .3 else 1000 if chance < .8 else 999 if chance < .95 else 100
        agent = self.agents[int(pick() * len(self.agents))]
        request, caisse = self.uuid(), self.caisses[person.town[2]]
        compact = DAYS[day].replace('-', '')
        self.numbers[compact] += 1
        display_id = f'{compact}{self.numbers[compact]:04}'
        token = f'{self.rng.getrandbits(160):040x}' if day >= TOKENS else NULL
        modevp = pick() < .7
        distance = int(pick() * 300) if modevp else NULL
        parking, toll, ticket = (int(pick() * 6000) / 100 if pick() < .6 else 0 for _ in range(3))
        paid = status in (1000, 2000)
        amount = round(parking + toll + ticket, 2)
        suspended = status == 1 and pick() < .1
        conflict = pick()
        self.rows['mrsrequest_mrsrequest'].append((
            request, created, display_id, done if status != 1 else NULL, distance,
            f'{parking + toll:.2f}' if modevp else NULL, status, caisse if pick() < .99 else NULL,
            self.institutions[int(pick() * len(self.institutions))] if pick() < .1 else NULL, person_id,
            agent.pk if status > 100 else NULL, DAYS[later] if paid and modevp else NULL,
            amount if paid else NULL, amount if paid else NULL,
            people.adeli(1 + int(pick() * 95), 1, int(pick() * 99999)) if pick() < .1 else NULL,
            waited if paid else NULL, f'{amount * 2:.2f}' if paid else NULL, f'{amount * 3:.2f}' if paid else NULL,
            't' if pick() < .2 else NULL if pick() < .3 else 'f', self.form_data(person, day, distance),
            't' if modevp else 'f', NULL if modevp else f'{ticket:.2f}', 'f' if modevp else 't',
            DAYS[later] if paid and not modevp else NULL, int(conflict < .02), int(conflict > .98), token,
            't' if suspended else 'f', self.code(14) if day >= TOKENS and pick() < .15 else NULL,
            parking if modevp else NULL, toll if modevp else NULL,
            DAYS[max(0, day - int(pick() * 30))] if pick() < .2 else NULL))
        gone = DAYS[max(0, day - int(pick() * 60))]
        for _ in range(1 if pick() < .8 else 2):
            self.rows['mrsrequest_transport'].append((gone, gone if pick() < .9 else NULL, request))
        for number in range(int(pick() * 3.5)):
            self.add_attachment(request, created, person, number, modevp)
        if person.email:
            self.add_mail(created, person.email, f'Votre demande {display_id}', texts.RECEIVED.format(
                first=person.first_name, last=person.last_name, day=DAYS[day], display_id=display_id,
                request=request, token=token))
        if status != 1:
            self.add_log(done, dict(MRSRequest.STATUS)[status], NULL, status, request,
                         agent.pk if status > 100 else NULL)
        if pick() < .3:
            changed = self.changes(person, person_id, day, distance)
            self.add_log(done, 'Modification : ' + ', '.join(changed), dumps({'changed': changed}),
                         MRSRequestLogEntry.UPDATE, request, agent.pk)
        if suspended or pick() < .15:
            self.add_log(done, self.says(texts.SUSPENSIONS, person), NULL, MRSRequestLogEntry.SUSPEND, request,
                         agent.pk)
        if status == 999 or pick() < .1:
            self.add_agents_mail(done, request, person, agent, 'reject' if status == 999 else 'contact', display_id)
        if pick() < .08:
            self.rows['rating_rating'].append((
                1 + int(pick() * 10), self.says(texts.RATINGS, person), done, request))
        if pick() < .02:
            self.rows['contact_contact'].append((
                ['request_error', 'request_question', 'website_question', 'other'][int(pick() * 4)],
                f'{person.first_name} {person.last_name}', person.email or person.address(pick()),
                self.says(texts.MESSAGES, person, display_id=display_id), done, caisse if pick() < .8 else NULL,
                request if pick() < .4 else NULL))

    def add_attachment(self, request, created, person, number, modevp):
        """Adds a file; one in fifty has lost its request, which was never submitted."""
        pick = self.rng.random
        self.attachment_id += 1
        lost = pick() < .02
        of = self.uuid() if lost else request
        ending = '.pdf' if pick() < .5 else '.png'
        path = f'{of}-{self.uuid()}{ending}' if pick() < .97 else '' if pick() < .7 else NULL
        kind = KINDS[int(pick() * len(KINDS))]
        filename = (f'{kind} {person.last_name} {number + 1}' if pick() < .5 else
                    f'{person.last_name}_{person.first_name}_{number + 1}' if pick() < .5 else
                    f'IMG_{created[:10]}_{number + 1}')
        self.rows['mrsattachment_mrsattachment'].append((self.attachment_id, of, filename + ending, created, path))
        if number == 0:
            self.rows['mrsrequest_pmt'].append((self.attachment_id, NULL if lost else request))
        else:
            self.rows['mrsrequest_bill'].append((
                self.attachment_id, NULL if lost else request, 'vp' if modevp else 'atp'))
        if self.files > 0 and path not in ('', NULL):
            self.files -= 1
            with open(os.path.join(settings.MEDIA_ROOT, path), 'wb') as file:
                file.write(PNG if ending == '.png' else pdf(self.attachment_id))

    def add_log(self, when, comment, data, action, request, agent, template=NULL):
        self.rows['mrsrequest_mrsrequestlogentry'].append((when, comment, data, action, request, agent, template))

    def add_agents_mail(self, when, request, person, agent, menu, display_id):
        """Adds a mail that an agent chose from the menu, and sent."""
        choice = self.templates[menu]
        template = choice[int(self.rng.random() * len(choice))]
        subject = template.subject.replace('{{ display_id }}', display_id)
        body = texts.BY_AGENT.format(first=person.first_name, last=person.last_name, body=template.body,
                                     nir=person.nir, agent=agent.number)
        self.add_log(when, template.name, dumps({'subject': subject, 'body': body}),
                     999 if menu == 'reject' else MRSRequestLogEntry.CONTACT, request, agent.pk, template.pk)
        if person.email:
            self.add_mail(when, person.email, subject, body)

    def add_mail(self, when, to, subject, body):
        """Adds a mail that was sent, to some at the second attempt."""
        caller = next(self.caller_ids)
        kwargs = pickled({'to': [to], 'reply_to': [settings.TEAM_EMAIL], 'subject': subject, 'body': body})
        self.rows['djcall_caller'].append((caller, 3, when, when, when, when, kwargs, 'djcall.mail.send', 0, 'mail'))
        refused = self.rng.random() < .02
        for exception in [texts.TRACEBACK.format(email=to)] * refused + ['']:
            if self.calls > 0:
                self.calls -= 1
                self.rows['djcall_call'].append((
                    when, when, when, when, NULL, exception, 5 if exception else 3, caller))

    def add_admin_log(self, person, day):
        self.rows['django_admin_log'].append((
            moment(day, 40000), self.person_id, f'{person.first_name} {person.last_name} {person.born or ""}'.strip(),
            self.rng.choice([1, 2, 2, 2, 3, 999, 1000, 2000]), dumps([{'changed': {'fields': ['Courriel']}}]),
            self.admin_log_of, self.agents[int(self.rng.random() * len(self.agents))].pk))

    def add_traces(self, wanted, known):
        """Adds what visitors, agents, admins and jobs leave, a little of each."""
        rng = self.rng
        few = range(min(500, wanted // 100 + 1))
        after = (LAST_DAY + datetime.timedelta(days=14)).isoformat()
        visits = [{'authorized': True, 'mrsrequests': [self.uuid()]} for _ in few]
        for data in [{'_auth_user_id': f'{agent.pk}'} for agent in self.agents] + visits:
            self.rows['django_session'].append((self.code(32).lower(), SessionStore().encode(data), after))
        for number in few:
            person = rng.choice(known)
            word = self.code(4)
            self.rows['captcha_captchastore'].append((word, word.lower(), f'{rng.getrandbits(160):040x}', after))
            self.rows['caisse_email'].append((person.email or person.address(.5), self.caisses[person.town[2]]))
            title, sql = rng.choice(texts.QUERIES)
            self.rows['explorer_querylog'].append((
                says(sql, person), moment(len(DAYS) - 1, number), ensure_query(says(title, person), says(sql, person),
                                                                               self.agents[0]).pk,
                self.agents[0].pk, round(rng.random() * 300, 3), ''))
            agent = rng.choice(self.agents)
            self.add_mail(moment(number, 30000), agent.email, 'Votre accès à MRS', texts.ACCESS.format(
                first=agent.first_name, last=agent.last_name, username=agent.username, password=self.code(10)))
        if Call.objects.filter(caller__callback='djcall.jobs.statistics').exists():
            return
        caller = Caller.objects.get(callback='djcall.jobs.statistics').pk
        for number in range(30):
            when = moment(len(DAYS) - 30 + number, 7200)
            self.rows['djcall_call'].append((when, NULL, when, when, pickled(number), '', 3, caller))

    def ensure_agents(self):
        """Adds the agents that are missing, most of whom can't log in, and returns them all."""
        groups = [Group.objects.get_or_create(name=name)[0] for name in GROUPS]
        rng = random.Random('agents')  # the same in each database
        agents = []
        for number in range(1, AGENTS + 1):
            person = people.Person(rng)
            name = people.SLUGS[person.last_name].upper()
            agent = User(
                username=f'{name}_{750000 + number}', number=f'{750000 + number}', first_name=person.first_name,
                last_name=person.last_name, email=f'{name.lower()}.{number}@cpam.example', is_active=number < AGENTS)
            known = User.objects.filter(number=agent.number).first()
            if known is None:
                password = self.code(10)
                # PBKDF2 takes its time.
                agent.password = make_password(password, salt=self.code(12)) if number <= 3 else '!' + self.code(40)
                agent.save()
                agent.groups.add(groups[number % len(groups)])
                agent.caisses.add(*rng.sample(sorted(self.caisses.values()), 3))
                self.add_mail(moment(0, 28800 + number), agent.email, 'Votre accès à MRS', texts.ACCESS.format(
                    first=agent.first_name, last=agent.last_name, username=agent.username, password=password))
            agents.append(known or agent)
        return agents

    def uuid(self):
        """A random UUID; uuid.UUID takes three times as long."""
        h = f'{self.rng.getrandbits(128):032x}'
        return f'{h[:8]}-{h[8:12]}-4{h[13:16]}-a{h[17:20]}-{h[20:]}'

    def code(self, length):
        return ''.join(self.rng.choices('ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789', k=length))

    def says(self, choice, person, **more):
        """One of the texts."""
        return says(choice[int(self.rng.random() * len(choice))], person, **more)

    def form_data(self, person, day, distance):
        """What the person typed into the form, as JSON; some rows have none."""
        if self.rng.random() < .02:
            return NULL
        return dumps({
            'birth_date': person.born if day >= FRENCH_DATES else person.birth_date and person.birth_date.isoformat(),
            'nir': person.nir, 'email': person.email or '', 'first_name': person.first_name,
            'last_name': person.last_name, 'distancevp': None if distance is NULL else distance})

    def changes(self, person, person_id, day, distance):
        """What an agent corrected: of each field the old value, and the new one."""
        pick = self.rng.random
        mistyped = f'{person.nir[:10]}{int(pick() * 1000):03}'
        nir = [mistyped, person.nir]
        if pick() < .3 and person.nir.isdigit():
            nir = [int(number) for number in nir]
        born = person.birth_date and person.birth_date.isoformat()
        if born and day >= FRENCH_DATES:
            dates = [f'{person.born[:6]}{int(born[:4]) + 1}', person.born]
        else:
            dates = [f'{int(born[:4]) + 1}{born[4:]}' if born and born[5:] != '02-29' else None, born]
        fields = {
            'nir': nir, 'birth_date': dates, 'first_name': [person.first_name.upper(), person.first_name],
            'last_name': [person.last_name.lower(), person.last_name], 'email': [person.address(pick()), person.email],
            'insured': [max(1, person_id - int(pick() * 50)), person_id],
            'distancevp': [None if distance is NULL else distance, int(pick() * 300)],
        }
        first = int(pick() * 7)
        return {name: fields[name] for name in list(fields)[first:first + 1 + int(pick() * 3)]}

    def copy(self):
        """Writes the rows, and forgets them."""
        for table, columns in TABLES.items():
            rows = self.rows[table]
            if rows:
                text = io.StringIO(newline='')
                csv.writer(text).writerows(rows)
                text.seek(0)
                self.cursor.copy_expert(
                    f"COPY {table} ({columns.replace(' ', ', ')}) FROM STDIN (FORMAT csv, NULL '{NULL}')", text)
                rows.clear()


def moment(day, second):
    return f'{DAYS[day]} {second // 3600:02}:{second // 60 % 60:02}:{second % 60:02}+00'


def or_null(value):
    return NULL if value is None else value


def dumps(value):
    return json.dumps(value, ensure_ascii=False)


def pickled(value):
    """The value as djcall.models.Pickled has it in the database."""
    return base64.b64encode(pickle.dumps(value)).decode()


def says(text, person, **more):
    """The text, in which the person is named."""
    return text.format(first=person.first_name, last=person.last_name, nir=person.nir, phone=person.phone,
                       email=person.email, street=person.street, born=person.born, **more) if '{' in text else text


def ensure_caisses():
    """Adds the caisses and regions that are missing, and returns the ids of all by code."""
    regions.insert(Region)
    there = dict(Caisse.objects.values_list('code', 'id'))
    for code, name, number, region in people.CAISSES:
        if code not in there:
            caisse = Caisse.objects.create(
                code=code, name=name, number=number.zfill(3), active=True,
                liquidation_email=f'liquidation-{code}@cpam.example', habilitation_email=f'acces-{code}@cpam.example')
            caisse.regions.add(Region.objects.get(insee_id=region))
            there[code] = caisse.pk
    return there


def ensure_institutions():
    """Adds the institutions that are missing, and returns their ids."""
    ids = []
    for number in range(1, 9):
        institution, _ = Institution.objects.get_or_create(finess=750000000 + number, defaults={
            'id': f'00000000-0000-4000-a000-{number:012}', 'origin': f'https://hopital-{number}.example'})
        FramingAllowedFrom.objects.get_or_create(domain=f'hopital-{number}.example')
        ids.append(str(institution.pk))
    return ids


def ensure_templates():
    """Adds the mails that are missing, and returns all by menu."""
    of = {'reject': [], 'contact': []}
    for menu, name, subject, body in texts.TEMPLATES:
        of[menu].append(EmailTemplate.objects.get_or_create(
            menu=menu, name=name, defaults={'subject': subject, 'body': body})[0])
    return of


def ensure_query(title, sql, agent):
    return Query.objects.get_or_create(title=title, defaults={'sql': sql, 'created_by_user': agent})[0]


def pdf(number):
    """A PDF of one page that says its number."""
    page = f'BT /F1 24 Tf 72 720 Td (Ordonnance {number:03}) Tj ET'
    objects = [
        '<</Type/Catalog/Pages 2 0 R>>',
        '<</Type/Pages/Kids[3 0 R]/Count 1>>',
        '<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>',
        f'<</Length {len(page)}>>stream\n{page}\nendstream',
        '<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>',
    ]
    body, offsets = '%PDF-1.4\n', []
    for index, content in enumerate(objects, 1):
        offsets.append(len(body))
        body += f'{index} 0 obj\n{content}\nendobj\n'
    xref = ''.join(f'{offset:010} 00000 n \n' for offset in offsets)
    trailer = (f'xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{xref}'
               f'trailer<</Size {len(objects) + 1}/Root 1 0 R>>\nstartxref\n{len(body)}\n%%EOF\n')
    return (body + trailer).encode('ascii')
