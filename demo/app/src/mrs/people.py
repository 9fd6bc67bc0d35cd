"""Invented French people whose papers look real.

Names are among the commonest in France. Mail addresses are below reserved
domains (RFC 2606), so none can reach anybody.
"""
import datetime
import json
import unicodedata
from pathlib import Path

FRANCE = json.loads((Path(__file__).parent / 'france.json').read_text('utf-8'))
WOMEN, MEN, LAST, PROVIDERS, STREETS = map(FRANCE.get, ('women', 'men', 'last', 'providers', 'streets'))
TOWNS = FRANCE['towns']  # where people live: a town, its post code, the number of its CPAM
CAISSES = FRANCE['caisses']  # what the CPAM of TOWNS are called, with their department and INSEE's code of their region
REGIONS = FRANCE['regions']  # INSEE's code, name, INSEE's code of the chief town

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
