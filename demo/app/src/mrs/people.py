"""Invented French people whose papers look real.

Names are among the commonest in France. Mail addresses are below reserved
domains (RFC 2606), so none can reach anybody.
"""
import datetime
import unicodedata

WOMEN = """
Marie Nathalie Isabelle Sylvie Catherine Françoise Martine Christine Monique Valérie Sandrine Véronique
Nicole Stéphanie Sophie Anne Céline Chantal Patricia Brigitte Jeannine Julie Aurélie Laurence Christelle
Dominique Émilie Jacqueline Corinne Hélène Élodie Karine Michèle Claire Virginie Mélanie Annie Caroline
Camille Élise Léa Manon Chloé Inès Jade Zoé Maëlle Anaïs Loïse Fatima Aïcha Khadija Thi-Hoa Ghislaine
Marie-Thérèse Marie-Hélène Anne-Marie Marie-Claude Marie-Noëlle Jeanne-d'Arc Solène Noémie Agnès Irène
""".split()

MEN = """
Jean Philippe Michel Alain Patrick Nicolas Christophe Pierre Christian Éric Frédéric Laurent Stéphane
David Pascal Daniel Bernard Thierry Gérard Olivier Sébastien Thomas Jacques André Julien Claude Bruno
Marc Dominique Didier Guillaume René Jérôme Vincent Serge Antoine Kévin François Hervé Raphaël Gaël
Loïc Joël Théo Léo Noé Benoît Grégory Cédric Rémi Mickaël Mohamed Karim Mehdi Nguyên Ibrahima Mamadou
Jean-Pierre Jean-Claude Jean-François Jean-Luc Jean-Noël Pierre-Yves Maël Zéphyr Adrien Étienne Aurélien
""".split()

LAST = """
Martin|Bernard|Thomas|Petit|Robert|Richard|Durand|Dubois|Moreau|Laurent|Simon|Michel|Lefebvre|Lefèvre|Leroy
Roux|David|Bertrand|Morel|Fournier|Girard|Bonnet|Dupont|Lambert|Fontaine|Rousseau|Vincent|Muller|Müller
Faure|André|Mercier|Blanc|Guérin|Boyer|Garnier|Chevalier|François|Legrand|Gauthier|Garcia|Perrin|Robin
Clément|Morin|Nicolas|Henry|Roussel|Mathieu|Gautier|Masson|Marchand|Duval|Denis|Dumont|Marie|Lemaire|Noël
Meyer|Dufour|Meunier|Brun|Blanchard|Giraud|Joly|Rivière|Lucas|Brunet|Gaillard|Barbier|Arnaud|Martinez
Gérard|Roche|Renard|Schmitt|Roy|Leroux|Colin|Vidal|Caron|Picard|Roger|Fabre|Aubert|Lemoine|Renaud|Dumas
Lacroix|Olivier|Philippe|Bourgeois|Pierre|Benoît|Rey|Leclerc|Payet|Rolland|Leclercq|Guillaume|Lecomte|Lopez
Jean|Dupuy|Guillot|Hubert|Berger|Carpentier|Sanchez|Dupuis|Moulin|Louis|Deschamps|Huet|Vasseur|Perez|Boucher
Fleury|Royer|Klein|Jacquet|Adam|Paris|Poirier|Marty|Aubry|Guyot|Carré|Charles|Renault|Charpentier|Ménard
Nguyen|Traoré|Diallo|Benali|Hoarau|Casanova|Paoli|Le Gall|Le Goff|Le Roux|De Oliveira|Da Silva|Ferreira
D'Angelo|L'Hermitte|D'Hondt|N'Diaye|Saint-Martin|Dupont-Moreau|Lefèvre-Garnier|Abd El Kader|Citroën|Loïk
Héritier|Maçon|François-Xavier|Provençal|Besançon|Français|Barthélémy|Quéré|Kerviel|Kœnig|Lebœuf|Vœckler
""".replace('\n', '|').strip('|').split('|')

PROVIDERS = ['laposte.example', 'orange.example', 'free.example', 'sfr.example', 'wanadoo.example.org',
             'mail.example.com', 'boite.example.net']

STREETS = ['rue de la République', 'avenue Jean Jaurès', 'rue Victor Hugo', "place de l'Église", 'rue des Écoles',
           'boulevard Gambetta', "chemin de l'Étang", 'impasse des Mûriers', 'rue du Général-de-Gaulle',
           'allée des Chênes', 'quai de la Fosse', 'cours Émile-Zola', "rue de l'Hôtel-de-Ville"]

# Where people live: a town, its post code, the number of its CPAM.
TOWNS = [
    ('Paris', '75011', '751'), ('Marseille', '13005', '131'), ('Lyon', '69003', '691'),
    ('Toulouse', '31000', '311'), ('Nice', '06000', '061'), ('Nantes', '44000', '441'),
    ('Strasbourg', '67000', '671'), ('Montpellier', '34000', '341'), ('Bordeaux', '33000', '331'),
    ('Lille', '59000', '595'), ('Rennes', '35000', '351'), ('Grenoble', '38000', '381'),
    ('Toulon', '83000', '831'), ('Nanterre', '92000', '921'), ('Bobigny', '93000', '931'),
    ('Créteil', '94000', '941'), ('Melun', '77000', '771'), ('Quimper', '29000', '291'),
    ('Ajaccio', '20000', '201'), ('Bastia', '20200', '202'), ('Saint-Denis', '97400', '974'),
]

# What the CPAM of TOWNS are called, with their department and INSEE's code of their region.
CAISSES = [
    ('061', 'CPAM des Alpes-Maritimes', '06', '93'), ('131', 'CPAM des Bouches-du-Rhône', '13', '93'),
    ('201', 'CPAM de la Corse-du-Sud', '2A', '94'), ('202', 'CPAM de la Haute-Corse', '2B', '94'),
    ('291', 'CPAM du Finistère', '29', '53'), ('311', 'CPAM de la Haute-Garonne', '31', '76'),
    ('331', 'CPAM de la Gironde', '33', '75'), ('341', "CPAM de l'Hérault", '34', '76'),
    ('351', "CPAM d'Ille-et-Vilaine", '35', '53'), ('381', "CPAM de l'Isère", '38', '84'),
    ('441', 'CPAM de la Loire-Atlantique', '44', '52'), ('595', 'CPAM de Lille-Douai', '59', '32'),
    ('671', 'CPAM du Bas-Rhin', '67', '44'), ('691', 'CPAM du Rhône', '69', '84'),
    ('751', 'CPAM de Paris', '75', '11'), ('771', 'CPAM de Seine-et-Marne', '77', '11'),
    ('831', 'CPAM du Var', '83', '93'), ('921', 'CPAM des Hauts-de-Seine', '92', '11'),
    ('931', 'CPAM de la Seine-Saint-Denis', '93', '11'), ('941', 'CPAM du Val-de-Marne', '94', '11'),
    ('974', 'CGSS de La Réunion', '974', '04'),
]

# Where people are born: the departments, the islands, and 99 for abroad.
BIRTHPLACES = ([f'{n:02}' for n in range(1, 96) if n != 20]
               + ['2A', '2B', '971', '972', '973', '974', '976', '99'])

FIRST_BIRTH = datetime.date(1925, 1, 1).toordinal()
LAST_BIRTH = datetime.date(2006, 12, 31).toordinal()


def slug(name):
    """The name as people write it in a mail address."""
    ascii_name = unicodedata.normalize('NFKD', name.replace('œ', 'oe')).encode('ascii', 'ignore').decode()
    return ascii_name.lower().replace(' ', '').replace("'", '')


SLUGS = {name: slug(name) for name in WOMEN + MEN + LAST}


def nir(woman, birth, place, commune, order):
    """A social security number of 13 characters, without its key.

    The rules are INSEE's: sex, year, month, department and commune of birth,
    order. Corsica was department 20 until 1976; overseas departments have three
    digits and communes of two.
    """
    if place in ('2A', '2B') and birth.year < 1976:
        place = '20'
    where = place + str(commune % 90 + 1).zfill(5 - len(place))
    return f'{2 if woman else 1}{birth.year % 100:02}{birth.month:02}{where}{order:03}'


def adeli(department, profession, order):
    """An ADELI number: department, profession, order and a Luhn key; the column is one of integers."""
    digits = f'{department:02}{profession}{order:05}'
    total = sum(sum(divmod(int(d) * (2 - i % 2), 10)) for i, d in enumerate(reversed(digits)))
    return int(digits) * 10 + -total % 10


class Person:
    """Somebody with a name, a birth date, a home, and the numbers they go by."""

    __slots__ = ('woman', 'first_name', 'last_name', 'birth_date', 'born', 'email', 'nir', 'town', 'street', 'phone')

    def __init__(self, rng):
        pick = rng.random
        self.woman = pick() < .55
        first_names = WOMEN if self.woman else MEN
        self.first_name = first_names[int(pick() * len(first_names))]
        self.last_name = LAST[int(pick() * pick() * len(LAST))]  # the first ones are commoner
        self.birth_date = datetime.date.fromordinal(FIRST_BIRTH + int(pick() * (LAST_BIRTH - FIRST_BIRTH + 1)))
        self.nir = nir(self.woman, self.birth_date, BIRTHPLACES[int(pick() * len(BIRTHPLACES))],
                       int(pick() * 90), int(pick() * 999) + 1)
        self.town = TOWNS[int(pick() * len(TOWNS))]
        self.street = f'{int(pick() * 120) + 1} {STREETS[int(pick() * len(STREETS))]}'
        self.phone = f'0{6 + int(pick() * 2)} 99 {int(pick() * 100):02} {int(pick() * 100):02} {int(pick() * 100):02}'
        chance = pick()
        self.email = None if chance < .04 else '' if chance < .07 else self.address(pick())
        date = self.birth_date
        self.born = f'{date.day:02}/{date.month:02}/{date.year}'  # as it is typed
        if chance > .997:
            self.birth_date = self.born = None

    def address(self, chance):
        """A mail address that the name can be read in."""
        first, last = (SLUGS.get(name) or slug(name) for name in (self.first_name, self.last_name))
        provider = PROVIDERS[int(chance * 1000) % len(PROVIDERS)]
        if chance < .5:
            return f'{first}.{last}@{provider}'
        if chance < .75:
            return f'{first[0]}{last}{self.nir[1:3]}@{provider}'
        return f'{last}.{first}{int(chance * 100)}@{provider}'

    def again(self, rng):
        """The same person, as typed another day: same NIR, one small difference."""
        twin = object.__new__(Person)
        for name in self.__slots__:
            setattr(twin, name, getattr(self, name))
        kind = rng.random()
        if kind < .3:
            twin.first_name = self.first_name.upper()
            twin.last_name = self.last_name.upper()
        elif kind < .5:
            twin.last_name = ''.join(
                c for c in unicodedata.normalize('NFD', self.last_name) if not unicodedata.combining(c))
        elif kind < .7:
            twin.email = self.address(rng.random())
        elif kind < .85 and self.email:
            twin.email = self.email.upper()
        else:
            twin.first_name = self.first_name.replace('-', ' ') + ' '
        return twin
