"""mrs oldhistory: the tables as a database of 2018 has them."""
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, models, transaction

from caisse.models import Caisse
from mrsrequest.models import MRSRequest
from mrsstat.models import Stat
from mrsuser.models import User
from person.models import Person

# What is dropped and made again, which puts it at the end.
MOVES = {
    User: 'is_superuser number',
    Caisse: 'habilitation_email nopmt_enable',
    MRSRequest: 'modevp mandate_dateatp conflicts_accepted conflicts_resolved token suspended pel expensevp_parking'
                ' expensevp_toll convocation',
    Stat: 'mrsrequest_count_inprogress insured_shifts_total mrsrequest_total_inprogress mrsrequest_total_new'
          ' mrsrequest_total_rejected mrsrequest_total_validated mrsrequest_count_conflicted'
          ' mrsrequest_count_conflicting mrsrequest_count_resolved',
}
UNIQUE = {('date', 'caisse', 'institution')}  # only there


class Command(BaseCommand):
    help = ('Give a freshly migrated, empty PostgreSQL the order of columns, and the one more unique constraint, of a'
            ' database that has lived through all migrations since 2018; one that is made today has them otherwise.'
            ' What copies or restores rows has to work with both, and between them.')

    def handle(self, *args, **options):
        if connection.vendor != 'postgresql':
            raise CommandError('only PostgreSQL has this history')
        with transaction.atomic(), connection.schema_editor() as editor:
            for model, names in MOVES.items():
                if model.objects.exists():
                    raise CommandError(f'{model._meta.db_table} has rows')
                for field in [model._meta.get_field(name) for name in names.split()]:
                    editor.remove_field(model, field)
                    editor.add_field(model, field)
            editor.alter_unique_together(Stat, set(), UNIQUE)
            gone = models.IntegerField(null=True)
            gone.set_attributes_from_name('conflicts')
            editor.add_field(Person, gone)
            editor.remove_field(Person, gone)
