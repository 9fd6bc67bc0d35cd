"""mrs seed N: fills the tables with N invented people and what comes with them."""
import base64
import datetime
import io
import json
import os
import random
import time
import uuid

from django.conf import settings
from django.contrib.admin.models import CHANGE
from django.contrib.auth.hashers import make_password
from django.contrib.contenttypes.models import ContentType
from django.contrib.sessions.backends.db import SessionStore
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from caisse.models import Caisse
from mrs import people
from mrsrequest.models import MRSRequest
from mrsuser.models import User

BATCH = 10_000  # people per COPY: about 20 MB of text
FILES = 200  # attachments share these, however many there are
LAST_DAY = datetime.datetime(2025, 6, 30, 18, tzinfo=datetime.timezone.utc)
DAYS = 3 * 365
AGENTS = 12

PERSON = 'person_person', ('id', 'first_name', 'last_name', 'birth_date', 'email', 'nir')
REQUEST = 'mrsrequest_mrsrequest', (
    'id', 'display_id', 'token', 'creation_datetime', 'creation_ip', 'insured_id', 'caisse_id', 'status',
    'status_datetime', 'status_user_id', 'adeli', 'distance', 'expense', 'payment_amount', 'modevp', 'modeatp',
    'data')
ATTACHMENT = 'mrsattachment_mrsattachment', (
    'id', 'mrsrequest_id', 'filename', 'attachment_file', 'creation_datetime')
SESSION = 'django_session', ('session_key', 'session_data', 'expire_date')
LOG = 'django_admin_log', (
    'action_time', 'user_id', 'content_type_id', 'object_id', 'object_repr', 'action_flag', 'change_message')

PNG = base64.b64decode(
    'iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==')

KINDS = ['prescription', 'Ordonnance Dr', 'bulletin de présence', 'péage A6', 'reçu parking', "facture d'essence"]
COMMENTS = ['', '', '', '', "Merci de me rappeler au {phone}, {first} {last}.", 'Trajet "aller-retour", reçu joint',
            "RAS\nBien cordialement,\n{first} {last}", 'Voir C:\\scans\\{last}.pdf']
ESCAPES = str.maketrans({'\\': '\\\\', '\t': '\\t', '\n': '\\n', '\r': '\\r'})


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
        paths = write_files()
        with transaction.atomic(), connection.cursor() as cursor:
            added = Seed(cursor, seed, paths).add(people, self.stdout.write)
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

    def __init__(self, cursor, seed, paths):
        self.cursor = cursor
        # Explicit ids and a live application would collide without the lock.
        cursor.execute('LOCK TABLE {}, {}, {} IN SHARE ROW EXCLUSIVE MODE'.format(
            PERSON[0], REQUEST[0], ATTACHMENT[0]))
        self.person_id = self.last_id(PERSON[0])
        self.attachment_id = self.last_id(ATTACHMENT[0])
        self.rng = random.Random(f'{seed} {self.person_id}')
        cursor.execute('SELECT coalesce(max(display_id), 0) FROM ' + REQUEST[0])
        self.display_id = max(cursor.fetchone()[0], 20220700000000)
        self.paths = paths
        self.caisses = ensure_caisses()
        self.agents = ensure_agents(self.rng)
        self.added = {'people': 0, 'requests': 0, 'attachments': 0}

    def last_id(self, table):
        self.cursor.execute(f'SELECT coalesce(max(id), 0) FROM {table}')
        return self.cursor.fetchone()[0]

    def add(self, wanted, say):
        """Adds the people, says how far it is, and returns how many of what it added."""
        start = said = time.monotonic()
        known = []
        while self.added['people'] < wanted:
            known = self.add_batch(min(BATCH, wanted - self.added['people']), known)
            now = time.monotonic()
            if now - said >= 2 and self.added['people'] < wanted:
                said = now
                done = self.added['people']
                say(f'{done} of {wanted} people, {done / (now - start):.0f}/s')
        self.add_agents_traces(wanted)
        for table in (PERSON[0], ATTACHMENT[0]):
            self.cursor.execute(
                f"SELECT setval(pg_get_serial_sequence('{table}', 'id'), max(id)) FROM {table}"
                ' HAVING max(id) IS NOT NULL')
        return self.added

    def add_batch(self, size, known):
        """Adds people with their requests and attachments, and returns some of them.

        One in twelve is somebody of known, or of this batch, again.
        """
        rng, rows = self.rng, {PERSON: [], REQUEST: [], ATTACHMENT: []}
        crowd = known
        for _ in range(size):
            if crowd and rng.random() < 1 / 12:
                person = crowd[int(rng.random() * len(crowd))].again(rng)
            else:
                person = people.Person(rng)
                crowd.append(person)
            self.person_id += 1
            rows[PERSON].append((
                self.person_id, person.first_name, person.last_name, person.birth_date.isoformat(),
                person.email, person.nir))
            for _ in range(int(rng.random() * 5)):  # 0 to 4: 2 on average
                self.add_request(rows, person)
        for table, lines in rows.items():
            self.copy(table, lines)
        self.added['people'] += size
        self.added['requests'] += len(rows[REQUEST])
        self.added['attachments'] += len(rows[ATTACHMENT])
        return crowd[-1000:]

    def add_request(self, rows, person):
        """Adds a request of the person who came last, with up to 3 attachments."""
        rng = self.rng
        pick = rng.random
        created = LAST_DAY - datetime.timedelta(seconds=int(pick() * DAYS * 86400))
        done = (created + datetime.timedelta(hours=int(pick() * 400))).isoformat()
        created = created.isoformat()
        chance = pick()
        status = 1 if chance < .2 else 2000 if chance < .3 else 1000 if chance < .8 else 999 if chance < .95 else 100
        moved = status != 1
        agent, adeli = self.agents[int(pick() * len(self.agents))]
        expense = int(pick() * 20000) / 100
        request_id = str(uuid.UUID(int=rng.getrandbits(128), version=4))
        self.display_id += 1
        modevp = pick() < .7
        rows[REQUEST].append((
            request_id, self.display_id, uuid.UUID(int=rng.getrandbits(128), version=4), created,
            f'192.0.2.{int(pick() * 254) + 1}', self.person_id, self.caisses[person.town[2]], status,
            done if moved else None, agent if moved else None, adeli if moved else '',
            int(pick() * 300) if modevp else None, f'{expense:.2f}',
            f'{expense * .9:.2f}' if status == 1000 else None,
            't' if modevp else 'f', 'f' if modevp else 't', form_data(rng, person, created[:10])))
        for number in range(int(pick() * 3.5)):
            self.attachment_id += 1
            kind = KINDS[int(pick() * len(KINDS))]
            path = self.paths[int(pick() * len(self.paths))]
            rows[ATTACHMENT].append((
                self.attachment_id, request_id, f'{kind} {person.last_name} {number + 1}{path[-4:]}', path, created))

    def add_agents_traces(self, wanted):
        """Adds what the agents leave: a session each, and lines in the admin log."""
        rng = self.rng
        sessions = []
        for agent, _ in self.agents:
            key = ''.join(rng.choices('abcdefghijklmnopqrstuvwxyz0123456789', k=32))
            data = SessionStore().encode({'_auth_user_id': str(agent)})
            sessions.append((key, data, (LAST_DAY + datetime.timedelta(days=14)).isoformat()))
        self.copy(SESSION, sessions)

        content_type = ContentType.objects.get_for_model(MRSRequest).pk
        self.cursor.execute(
            'SELECT r.id, r.display_id, r.status_datetime, r.status_user_id, p.first_name, p.last_name'
            f' FROM {REQUEST[0]} r JOIN {PERSON[0]} p ON p.id = r.insured_id'
            ' WHERE r.status_user_id IS NOT NULL ORDER BY r.display_id DESC LIMIT %s',
            [min(wanted, 2000)])
        self.copy(LOG, [
            (moved.isoformat(), agent, content_type, key, f'{display_id} {first} {last}', CHANGE,
             json.dumps([{'changed': {'fields': ['Statut']}}]))
            for key, display_id, moved, agent, first, last in self.cursor.fetchall()])

    def copy(self, table, rows):
        """Writes rows in the text format of COPY, where a tab ends a field."""
        name, columns = table
        text = ''.join(
            '\t'.join(['\\N' if value is None else str(value).translate(ESCAPES) for value in row]) + '\n'
            for row in rows)
        self.cursor.copy_expert(f"COPY {name} ({', '.join(columns)}) FROM STDIN", io.StringIO(text))


def form_data(rng, person, day):
    """What the person typed into the form, as JSON."""
    pick = rng.random
    comment = COMMENTS[int(pick() * len(COMMENTS))]
    town, postcode, _ = person.town
    n = person.nir
    return json.dumps({
        'insured': {
            'first_name': person.first_name,
            'last_name': person.last_name,
            'birth_date': person.birth_date.strftime('%d/%m/%Y'),
            'nir': f'{n[0]} {n[1:3]} {n[3:5]} {n[5:7]} {n[7:10]} {n[10:13]} {n[13:]}',
            'contact': {'email': person.email, 'phone': person.phone},
            'address': {'street': person.street, 'postcode': postcode, 'town': town},
        },
        'iban': person.iban,
        'transports': [{'date_depart': day, 'date_return': day, 'type': 'one-day' if pick() < .8 else 'hospital'}],
        'comment': comment.format(phone=person.phone, first=person.first_name, last=person.last_name),
    }, ensure_ascii=False)


def ensure_caisses():
    """Adds the caisses that are missing, and returns the ids of all by code."""
    Caisse.objects.bulk_create([
        Caisse(code=code, name=name, number=number, liquidation_email=f'liquidation-{code}@cpam.example')
        for code, name, number in people.CAISSES], ignore_conflicts=True)
    return dict(Caisse.objects.values_list('code', 'id'))


def ensure_agents(rng):
    """Adds the agents that are missing, who can't log in, and returns ids and ADELI numbers."""
    agents = []
    for number in range(1, AGENTS + 1):
        person = people.Person(rng)
        agents.append(User(
            username=f'agent{number}', first_name=person.first_name, last_name=person.last_name,
            email=person.email, password=make_password(None)))
    User.objects.bulk_create(agents, ignore_conflicts=True)
    ids = User.objects.filter(username__in=[agent.username for agent in agents]).order_by('username')
    return [(pk, people.adeli(75, 1, 10000 + number))
            for number, pk in enumerate(ids.values_list('id', flat=True))]


def write_files():
    """Writes the files that the attachments share, where they are missing, and returns their paths."""
    os.makedirs(os.path.join(settings.MEDIA_ROOT, 'seed'), exist_ok=True)
    paths = []
    for number in range(FILES):
        name, content = (f'seed/{number:03}.png', PNG) if number % 2 else (f'seed/{number:03}.pdf', pdf(number))
        path = os.path.join(settings.MEDIA_ROOT, name)
        if not os.path.exists(path):
            with open(path, 'wb') as file:
                file.write(content)
        paths.append(name)
    return paths


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
