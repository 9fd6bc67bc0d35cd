"""The regions of France."""
from mrs.people import REGIONS


def insert(model):
    """Inserts those that are missing."""
    there = set(model.objects.values_list('insee_id', flat=True))
    model.objects.bulk_create(
        model(insee_id=code, name=name, cheflieu_code=town) for code, name, town in REGIONS if code not in there)
