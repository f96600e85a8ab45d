"""Names for generated projects. Copying a name exactly is a skill: the rows need thousands of them."""

# ruff: noqa: SIM905  (a word list reads better as words than as 800 quoted lines)

from dataclasses import dataclass
from random import Random

_ENTITIES = """
Account Album Alarm Animal Answer Apartment Article Artist Asset Auction Badge Bakery Barrel Battery Beacon Bicycle
Boat Booking Branch Bridge Broker Budget Bus Camera Campaign Canal Candidate Card Cargo Carrier Cellar Channel Chapter
City Claim Client Clinic Coach Colony Comment Contract Cottage Course Courier Crate Crop Customer Dancer Deposit Depot
Device Dish Doctor Document Donor Driver Engine Episode Estate Exam Exhibit Farm Fee Ferry Festival Field Film Flight
Folder Forecast Garden Gauge Glacier Grant Guest Guide Harbor Harvest Hike Hotel House Incident Ingredient Instrument
Island Journal Judge Kernel Kettle Lake Landing Lecture Lesson Letter Locker Machine Magnet Mailbox Map Market Match
Meadow Meal Medal Meeting Member Message Meter Mission Mixer Module Museum Needle Notice Novel Nurse Observation Orchard
Orchestra Outlet Owner Package Painter Panel Parcel Patient Payment Pension Permit Photo Pilot Pipeline Planet Plant
Player Podcast Poem Policy Pool Port Portfolio Post Printer Probe Profile Pump Quarry Quiz Quote Radio Railway Ranger
Reading Receipt Recipe Record Refund Region Rental Report Reservoir Review Rider Robot Room Route Sample Satellite
Schedule School Score Seat Seed Sensor Server Service Shelf Shift Shipment Signal Site Skill Speaker Sponsor Stable
Stadium Stage Station Storm Street Student Studio Suite Supplier Survey Tank Task Team Telescope Tenant Terminal Theater
Ticket Tide Tile Timer Token Tool Tour Tower Track Trader Trail Train Tree Trip Truck Tunnel Turbine Unit Valve Vendor
Venue Vessel Village Villa Visit Volunteer Voucher Warehouse Watch Weather Wheel Winery Worker Yacht Zone
""".split()

_TEXT_FIELDS = """
name title label city owner status category brand color country email address phone summary note author genre language
material origin region serial sector shape slug source style supplier tag team theme tone topic unit vendor zone code
""".split()
_INT_FIELDS = """
count age size level capacity quantity year floor rank stock limit points pages minutes hours days seats copies visits
width height depth distance votes wins losses goals turns retries steps rows columns shifts crates batch priority
""".split()
_FLOAT_FIELDS = """
price weight rate score balance ratio speed volume cost fee discount temperature pressure humidity margin length load
voltage duration altitude density frequency rainfall salary tax tip total radius
""".split()
_MODULES = """
models helpers reports storage billing parser routes forms views tasks loader exporter importer checks filters formatter
calendar scheduler mailer history summary metrics pricing inventory search session tokens validators converters cleanup
dispatch ledger tracking planner ranking scoring sampling settings archive feeds payments notify audit layout geometry
registry queues catalog stats events jobs rules limits shapes units labels records pipeline matching lookup
""".split()
_FOLDERS = """
src lib app core api backend services tools engine package common web jobs domain server client worker plugins modules
handlers source main python internal system
""".split()
_OUTER = """
packages apps libs projects services src python backend tools modules components plugins vendor team internal frontend
""".split()
_ADJECTIVES = """
small green open north south silver rapid quiet bright steady modern simple blue city coastal daily early fresh golden
grand happy hidden inner late local lucky major minor mobile native nimble orange outer plain polar prime proud pure red
remote royal rural sharp smart solar sunny tidy urban warm wild winter young
""".split()
_VERBS = """
load save build merge sort parse rank group pick count move copy check clean format convert collect compare update
prepare assign reserve release measure archive cancel confirm register renew restore select share split track
""".split()
_WORDS = """
amber anchor apple arrow autumn basil beaver bell birch bison bottle bread breeze bucket butter button cabin candle
canyon carrot castle cedar cherry chestnut clover cloud cobalt copper coral cotton crane creek crystal daisy delta
desert dragon eagle echo elm ember falcon feather fern fig finch flame flint forest fossil fox frost galaxy garnet
ginger granite grape gravel hazel heron honey horizon iris iron island ivory ivy jade jasmine juniper kite lagoon
lantern lark laurel lemon lilac lily linen lotus lynx magnolia maple marble meadow mint moss mountain nectar nutmeg oak
oasis olive onyx opal orchid otter owl oxide palm panda paper peach pearl pebble pepper pine plum pond poplar poppy
prairie quartz rabbit rain raven reed ridge river robin rose ruby saffron sage salmon sand sapphire shadow shell silk
slate sparrow spruce star stone summit swan thistle thunder tiger topaz tulip turtle valley velvet violet walnut willow
""".split()


@dataclass(frozen=True)
class Field:
    """A field of a generated dataclass; `kind` is its annotation."""

    name: str
    kind: str


def entity(rng: Random) -> str:
    """A class name; about one in three has two words."""
    if rng.random() < 0.35:
        return rng.choice(_WORDS).capitalize() + rng.choice(_ENTITIES)
    return rng.choice(_ENTITIES)


def snake(name: str) -> str:
    """`MapleTour` → `maple_tour`."""
    return "".join(("_" if c.isupper() and i else "") + c.lower() for i, c in enumerate(name))


def plural(name: str) -> str:
    """A plural that is good enough for a variable."""
    if name.endswith(("s", "x", "ch", "sh")):
        return name + "es"
    if name.endswith("y") and name[-2] not in "aeiou":
        return name[:-1] + "ies"
    return name + "s"


def fields(rng: Random) -> list[Field]:
    """One text field, one int, one float, and sometimes one more text, in this order."""
    texts = rng.sample(_TEXT_FIELDS, 2)
    chosen = [Field(texts[0], "str"), Field(rng.choice(_INT_FIELDS), "int"), Field(rng.choice(_FLOAT_FIELDS), "float")]
    if rng.random() < 0.4:
        chosen.append(Field(texts[1], "str"))
    return chosen


def project(rng: Random) -> str:
    """A project's name, such as `north-ferry` or `copper_desk`."""
    first = rng.choice(_ADJECTIVES + _WORDS)
    return first + rng.choice("-_-") + snake(rng.choice(_ENTITIES))


def module(rng: Random) -> str:
    """A module's name without suffix; about half have two words."""
    name = rng.choice(_MODULES)
    roll = rng.random()
    if roll < 0.3:
        return f"{snake(rng.choice(_ENTITIES))}_{name}"
    if roll < 0.45:
        return f"{rng.choice(_VERBS)}_{plural(snake(rng.choice(_ENTITIES)))}"
    if roll < 0.55:
        return f"{rng.choice(_WORDS)}_{name}"
    if roll < 0.6:
        return f"{name}{rng.randint(2, 9)}"
    if roll < 0.66:
        return snake(rng.choice(_ENTITIES))
    return name


def package(rng: Random) -> str:
    """Path of a package: nearly half of them lie in another folder, as in `packages/harbor` or `apps/web/core`."""
    depth = rng.choices([1, 2, 3], [55, 38, 7])[0]
    outer = [rng.choice(_OUTER) if rng.random() < 0.7 else folder(rng) for _ in range(depth - 1)]
    return "/".join([*outer, folder(rng)])


def folder(rng: Random) -> str:
    """A folder's name."""
    roll = rng.random()
    if roll < 0.45:
        return rng.choice(_FOLDERS)
    if roll < 0.75:
        return plural(snake(rng.choice(_ENTITIES)))
    if roll < 0.8:
        return rng.choice(_FOLDERS + _WORDS) + str(rng.randint(2, 9))
    return rng.choice(_WORDS) + rng.choice(["", "_" + rng.choice(_FOLDERS)])


def stem(rng: Random) -> str:
    """Name of a file that is no module, without suffix: `release-notes`, `plan_7`, `harbor2`."""
    one, other = word(rng), rng.choice([snake(rng.choice(_ENTITIES)), rng.choice(_MODULES), word(rng)])
    return rng.choice(
        [one, f"{one}-{other}", f"{one}_{other}", f"{one}{rng.randint(2, 9)}", f"{other}-{rng.randint(2, 99)}"]
    )


def verb(rng: Random) -> str:
    """A verb that a function's name may begin with."""
    return rng.choice(_VERBS)


def word(rng: Random) -> str:
    """A plain word."""
    return rng.choice(_WORDS)


def phrase(rng: Random) -> str:
    """A few plain words, as a title or a note would have them."""
    return rng.choice(
        [
            f"{rng.choice(_ADJECTIVES)} {rng.choice(_WORDS)}",
            f"{rng.choice(_VERBS)} the {rng.choice(_ADJECTIVES)} {snake(rng.choice(_ENTITIES)).replace('_', ' ')}",
            f"{rng.choice(_WORDS)} and {rng.choice(_WORDS)}",
            f"{rng.choice(_ADJECTIVES)} {snake(rng.choice(_ENTITIES)).replace('_', ' ')} {rng.randint(2, 99)}",
        ]
    )


def number(rng: Random) -> int:
    """A number as configuration files have them."""
    return rng.choice([rng.randint(1, 99), rng.randint(100, 9999), rng.choice([8, 16, 64, 250, 500, 3000, 8080])])
