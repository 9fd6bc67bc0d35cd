"""The regions of France, by INSEE's code: name, chief town."""

REGIONS = {
    '01': ('Guadeloupe', '97105'), '02': ('Martinique', '97209'), '03': ('Guyane', '97302'),
    '04': ('La Réunion', '97411'), '06': ('Mayotte', '97608'), '11': ('Île-de-France', '75056'),
    '24': ('Centre-Val de Loire', '45234'), '27': ('Bourgogne-Franche-Comté', '21231'),
    '28': ('Normandie', '76540'), '32': ('Hauts-de-France', '59350'), '44': ('Grand Est', '67482'),
    '52': ('Pays de la Loire', '44109'), '53': ('Bretagne', '35238'), '75': ('Nouvelle-Aquitaine', '33063'),
    '76': ('Occitanie', '31555'), '84': ('Auvergne-Rhône-Alpes', '69123'),
    '93': ("Provence-Alpes-Côte d'Azur", '13055'), '94': ('Corse', '2A004'),
    '97': ("Collectivités d'outre-mer", '97502'),
}


def insert(model):
    """Inserts those that are missing."""
    there = set(model.objects.values_list('insee_id', flat=True))
    model.objects.bulk_create(
        model(insee_id=code, name=name, cheflieu_code=town)
        for code, (name, town) in REGIONS.items() if code not in there)
