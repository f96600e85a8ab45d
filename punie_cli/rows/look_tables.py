"""Tables of many trades, with words that people have for their columns: never the headers themselves.

A block of `_TABLES` is one table: `# stems | thing | things | header of the names`, then its columns. The parts of a
column are divided by bars, wordings by semicolons.

    n HEADER LOW HIGH | questions about {x} | most; its words | least; its words | totals
    c HEADER VALUES   | questions about {x} | what things do that have {v}
    d HEADER          | questions about {x} | what things did that have a date | what those did that have none
"""

# ruff: noqa: E501  (one column a line)

import json
from dataclasses import dataclass
from random import Random

from punie_cli.rows import names

_TABLES = """
# harbour,boats,moorings | boat | boats | vessel
n draught_cm 40 210 | how deep does {x} sit; how much water does {x} need under it; how far down does {x} reach | deepest; deepest-going | shallowest; shallowest-going | combined depth of all boats
n berth_fee 60 900 | what does {x} pay for its place; how much is the mooring of {x}; what do we charge for {x} | dearest; most expensive | cheapest; least expensive | money we get for all the moorings; income from all boats
c holder Ines,Tomasz,Oriel,Bela | whose boat is {x}; who owns {x}; to whom does {x} belong | belong to {v}; are owned by {v}
d scrubbed_on | when was {x} last cleaned; when did {x} get its last cleaning | were cleaned | have never been cleaned; still wait for their first cleaning
# arboretum,trees,planting | tree | trees | tag
n girth_mm 200 3100 | how thick is {x}; how fat is the trunk of {x}; what does the trunk of {x} measure around | thickest; fattest | thinnest; slimmest | trunk sizes added up
n crown_m 2 19 | how tall is {x}; how high does {x} grow; how far up does {x} go | tallest; highest | lowest; shortest | heights of all trees together
c soil clay,loam,peat,gravel | in what ground does {x} stand; what is {x} planted in; which kind of earth is under {x} | stand in {v}; grow on {v} ground
d pruned | when was {x} last cut; when did someone cut back {x} | were cut back | were never cut back; nobody has cut so far
# costumes,wardrobe | costume | costumes | piece
n deposit_eur 20 180 | how much money do people leave for {x}; what must one pay up front for {x}; what do we hold back for {x} | costliest; dearest | cheapest; least costly | money we hold for everything; up-front money in all
n hem_cm 60 150 | how long is {x}; what is the length of {x}; how far down does {x} fall | longest; lengthiest | shortest; least long | length of all costumes together
c era baroque,empire,twenties,medieval | from what time is {x}; what period does {x} come from; how old in style is {x} | come from the {v} period; are {v}
d back_by | when must {x} be returned; when do we get {x} again; what is the return day of {x} | are to be returned | have no return day; need not be returned by any day
# routes,climbs,crag | climb | climbs | line
n bolts 4 28 | how many hooks are in {x}; how many fixed points does {x} have; how well is {x} secured | best secured; most secured | worst secured; least secured | hooks on the whole wall
n pitch_m 9 48 | how long is {x}; what rope length does {x} need; how many metres is {x} | longest; lengthiest | shortest; quickest | metres of all climbs together
c aspect north,south,east,west | which way does {x} face; where does {x} look; on what side is {x} | face {v}; look {v}
d set_on | when was {x} opened; when did they put up {x}; since when does {x} exist | were opened | have no opening day; nobody noted the opening of
# cheeses,cellar,wheels | cheese | cheeses | wheel
n ripe_weeks 2 60 | how old is {x}; how long has {x} been lying; what age has {x} | oldest; most mature | youngest; least mature | age of all cheeses together
n grams 300 8200 | how heavy is {x}; what does {x} weigh; what do the scales say for {x} | heaviest; weightiest | lightest; least heavy | weight of everything in the cellar; weight of all of them
c milk goat,sheep,cow,buffalo | which animal is {x} from; what is {x} made of; from whose udder is {x} | are made from {v} milk; come from a {v}
d turned | when was {x} last flipped; when did someone flip {x} | were flipped | were never flipped; have yet to be flipped
# wells,boreholes,springs | well | wells | site
n depth_m 6 190 | how far down does {x} go; how deep did they dig {x}; what is the bottom of {x} | deepest; furthest down | shallowest; least deep | metres dug in all
n flow_lpm 3 260 | how much water comes out of {x}; what does {x} give; how strongly does {x} run | strongest; most productive | weakest; least productive | water from all wells together
c pump hand,solar,diesel,none | how is the water lifted at {x}; what drives {x}; what machine has {x} | work with {v}; are driven by {v}
d tested_on | when was the water of {x} last looked at; when did the laboratory see {x} | were checked by the laboratory | were never checked by the laboratory; the laboratory has not seen
# coaches,buses,depot | bus | buses | plate
n seats 12 78 | how many people fit into {x}; for how many is {x}; how large a group can {x} take | roomiest; largest | smallest; tightest | people we can carry in all
n odo_km 4000 390000 | how far has {x} been driven; what distance has {x} behind it; what does the counter of {x} say | most driven; most travelled | least driven; least travelled | distance of the whole fleet
c garage Ostend,Hilltop,Mill,Quay | where does {x} stay at night; where do I find {x} in the evening; which yard is {x} from | spend the night at {v}; are parked at {v}
d mot_until | how long is {x} allowed on the road; when does the approval of {x} end; till when may {x} drive | lose their approval | have no approval at all; lack an approval day
# herd,llamas,stable | animal | animals | nickname
n kg 60 210 | how heavy is {x}; what does {x} weigh; what weight does {x} have | heaviest; fattest | lightest; thinnest | weight of the whole herd
n fleece_g 300 2900 | how much wool did {x} give; what came off {x} at the shearing; how woolly is {x} | woolliest; most woolly | barest; least woolly | wool of all animals together
c keeper Jonas,Priya,Wendel,Aino | who looks after {x}; who feeds {x}; in whose care is {x} | are looked after by {v}; are fed by {v}
d vet_seen | when did the doctor last see {x}; when was {x} last examined | were examined | were never examined; the doctor has not seen yet
# kiln,firings,glazes | firing | firings | batch
n peak_c 720 1320 | how hot did {x} get; what was the heat of {x}; up to how many degrees did {x} go | hottest; warmest | coolest; coldest | degrees added up
n pieces 4 96 | how many pots were in {x}; how full was {x}; what number of things did we burn in {x} | fullest; best filled | emptiest; least filled | pots in all firings together
c potter Lotte,Samir,Greta,Ngozi | who made {x}; whose pots were in {x}; who was at work for {x} | were done by {v}; hold the pots of {v}
d opened | when could we unload {x}; when did the door of {x} go open | were unloaded | were never unloaded; are still closed
# drones,hangar,gliders | drone | drones | callsign
n cell_mah 900 6400 | how big is the battery of {x}; what charge does {x} hold; how much power has {x} on board | strongest; most powerful | weakest; least powerful | charge of all drones together
n flights 3 480 | how often was {x} in the air; how many times did {x} go up; how much has {x} been used | most used; busiest | least used; newest | take-offs of all drones
c pilot Yara,Emil,Quentin,Sunniva | who flies {x}; who steers {x}; at whose hands is {x} | are flown by {v}; are steered by {v}
d cert_until | when does the permission of {x} run out; until when may {x} go up | lose their permission | have no permission; nobody got permission for
# lights,lamps,beacons | light | lights | station
n range_nm 4 29 | how far out can one see {x}; from what distance is {x} visible; how far does {x} shine | farthest-shining; most visible | least visible; nearest-shining | sight distance of all lights
n stairs 20 240 | how many steps up {x}; how many steps does one climb at {x}; how long is the climb in {x} | highest to climb; most tiring | easiest to climb; least tiring | steps in all towers
c tint white,red,green,amber | what colour does {x} show; in which colour does {x} blink; how does {x} look at night | shine {v}; show a {v} colour
d painted | when did {x} last get new paint; when was the last coat of {x} | got new paint | never got new paint; wait for paint
# bikes,rental,cycles | bike | bikes | frame_no
n gears 1 27 | how many speeds has {x}; how many speeds can I choose on {x} | best geared; finest geared | simplest; plainest | speeds added up over all bikes
n day_rate 8 65 | what does {x} cost for one day; how much do I take for {x} from morning to evening | dearest; priciest | cheapest; lowest-priced | takings if every bike is out for a day
c brake disc,rim,drum,coaster | how does {x} stop; what stops {x}; by what means does {x} slow down | stop with {v} brakes; use {v} brakes
d serviced | when was {x} last in the workshop; when did a mechanic last see {x} | were in the workshop | were never in the workshop; no mechanic has seen
# gallery,paintings,loans | painting | paintings | title
n insured_keur 4 950 | how much is {x} worth; for what sum is {x} covered; what would we get if {x} burned | most valuable; dearest | least valuable; cheapest | worth of all paintings together
n width_cm 20 340 | how wide is {x}; how much wall does {x} take; how broad is {x} | widest; broadest | narrowest; least wide | wall that all of it takes
c lender Rossi,Vander,Okoye,museum | from whom did we get {x}; who lent us {x}; to whom goes {x} afterwards | were lent by {v}; go to {v} afterwards
d due_back | when must {x} go home; when do we have to give {x} away again | have to go home | have no day to go home; may stay for good
# tents,pitches,camp | tent | tents | label
n sleeps 1 12 | how many can lie in {x}; for how many people is {x}; how many beds fit in {x} | largest; roomiest | smallest; tightest | people that all tents hold
n pack_g 900 9800 | how heavy is {x} to carry; what does {x} weigh in the bag; how much do I have on my back with {x} | heaviest; hardest to carry | lightest; easiest to carry | weight of all tents together
c roof poles,tunnel,dome,tarp | what shape is {x}; how is {x} built; what kind of thing is {x} | are built as {v}; are of the {v} kind
d patched | when was {x} last mended; when did someone fix holes in {x} | were mended | were never mended; have had no repair
# sewing,machines,atelier | machine | machines | model
n stitches 6 240 | how many patterns can {x} sew; what choice of patterns has {x} | most versatile; richest | plainest; least versatile | patterns on all machines
n watts 40 180 | how much power does {x} draw; what does {x} need from the socket; how strong is the motor of {x} | strongest; hungriest | weakest; most frugal | power if all run at once
c desk window,corner,door,loft | where does {x} stand; at what place is {x}; where do I go for {x} | stand at the {v}; have their place at the {v}
d oiled | when did {x} last get a drop; when was {x} last greased | were greased | were never greased; nobody ever greased
# stations,gauges,weather | station | stations | code
n altitude 12 2900 | how high up is {x}; how far above the sea is {x}; on what height did they build {x} | highest; topmost | lowest; nearest to the sea | metres added up
n rain_mm 2 460 | how wet was it at {x}; how much fell at {x}; what came down at {x} | wettest; rainiest | driest; least rainy | rain at all stations
c observer Hild,Marek,Tove,Anselm | who reads {x}; who goes up to {x}; who is in charge of {x} | are read by {v}; are in the hands of {v}
d calibrated | when was {x} last adjusted; when did they compare {x} with the standard | were adjusted | were never adjusted; still have no adjustment
# choir,scores,library | piece | pieces | work
n voices 2 12 | how many parts does {x} have; into how many lines does {x} split | most demanding; most split | simplest; least split | parts in all pieces
n copies 3 90 | how many sheets have we of {x}; how often do we own {x}; for how many singers is there paper of {x} | best stocked; most plentiful | rarest; scarcest | sheets in the whole cupboard
c language Latin,Finnish,Welsh,German | what tongue is {x} in; in which words do we sing {x} | are sung in {v}; have {v} words
d last_sung | when did we perform {x}; when was {x} on the programme | were performed | were never performed; nobody has heard yet
# casks,barrels,distillery | cask | casks | cask_id
n litres 40 520 | how much fits into {x}; how large is {x}; what does {x} hold | largest; biggest | smallest; tiniest | volume of the whole store
n proof 41 72 | how strong is {x}; how many percent has {x}; what is the alcohol of {x} | strongest; most alcoholic | mildest; weakest | percents added up
c wood oak,chestnut,ash,cherry | what is {x} built from; what timber is {x} | are built from {v}; are of {v} timber
d racked | when did we move {x} to another barrel; when was {x} last drawn off | were drawn off | were never drawn off; nobody has drawn off
# vans,parcels,rounds | round | rounds | tour
n stops 8 140 | how many doors does {x} have; at how many houses does {x} ring; how many addresses are on {x} | busiest; fullest | quietest; emptiest | addresses on all rounds
n minutes 60 540 | how long does {x} take; how much time goes into {x}; what is the duration of {x} | longest; slowest | shortest; quickest | time for everything
c driver Zofia,Kwame,Ilse,Ruben | who does {x}; who is behind the wheel on {x}; whose is {x} | are driven by {v}; are done by {v}
d revised | when was {x} last changed; when did they plan {x} anew | were planned anew | were never planned anew; nobody changed so far
# caves,tunnels,survey | cave | caves | entrance
n length_m 30 9400 | how far does {x} go into the rock; how many metres of passage has {x} | longest; farthest | shortest; smallest | passages of all caves together
n bats 1 700 | how many animals sleep in {x}; how many did we count at the ceiling of {x} | liveliest; most populated | emptiest; least populated | animals in all caves
c access free,ladder,rope,closed | how does one get into {x}; what do I need to enter {x} | have {v} entry; are marked {v}
d mapped | when was {x} drawn; when did the drawing of {x} get done | were drawn | were never drawn; there is no drawing of
# quilts,looms,weaving | cloth | cloths | pattern
n threads 120 1900 | how fine is {x}; how many strings run through {x} | finest; densest | coarsest; roughest | strings in all cloths
n hours 4 210 | how long did {x} take; how much work is in {x}; how much time did someone sit at {x} | slowest; most laborious | quickest; least laborious | working time in all
c dye madder,indigo,weld,walnut | what gave {x} its colour; with what was {x} coloured | are coloured with {v}; got their colour from {v}
d sold_on | when did {x} leave us; when did a customer take {x} | left the shop | nobody has bought; are still for sale
# servers,racks,hosts | machine | machines | host
n ram_gb 8 512 | how much memory has {x}; what is built into {x} as memory | best equipped; largest | worst equipped; smallest | memory of all machines together
n load_pct 3 97 | how busy is {x}; how hard does {x} work | busiest; hardest working | idlest; least busy | load added up
c admin Noor,Casimir,Freya,Diego | who takes care of {x}; whom do I call about {x}; who has the keys of {x} | are cared for by {v}; are in the hands of {v}
d patched_on | when did {x} get its last update; when was {x} last updated | were updated | were never updated; have had no update
"""


@dataclass(frozen=True)
class Column:
    """A column, and what people say instead of its header."""

    header: str
    kind: str
    """`n` for whole numbers, `c` for one of a few values, `d` for dates."""
    asks: list[str]
    """Questions for the cell of `{x}`."""
    most: list[str]
    least: list[str]
    totals: list[str]
    does: list[str]
    """What things do that have `{v}`, or that have a date."""
    lacks: list[str]
    """What things do whose cell is empty."""


@dataclass(frozen=True)
class Table:
    """A table as a generated project holds it."""

    path: str
    thing: str
    things: str
    header: list[str]
    columns: list[Column]
    rows: list[list[str]]
    """Names first; cells in the order of the header."""
    ahead: int
    """Columns that stand before the names in the file."""

    @property
    def text(self) -> str:
        """The file: comma separated, or a JSON list of objects."""
        if self.path.endswith(".json"):
            return json.dumps([self.entry(row) for row in self.rows], indent=2) + "\n"
        return "".join(self.line(cells) + "\n" for cells in [self.header, *self.rows])

    def entry(self, cells: list[str]) -> dict[str, str | int]:
        """Cells, the name first, as an object: whole numbers are numbers there."""
        numbers = self.of("n")
        values = [int(cell) if place in numbers else cell for place, cell in enumerate(cells)]
        return dict(zip(self.header, values, strict=True))

    def line(self, cells: list[str]) -> str:
        """Cells, the name first, as a line of the file."""
        name, *others = cells
        return ",".join([*others[: self.ahead], name, *others[self.ahead :]])

    def many(self, number: int) -> str:
        """`no boats`, `1 boat`, `3 boats`."""
        return f"{number or 'no'} {self.thing if number == 1 else self.things}"

    def of(self, kind: str) -> list[int]:
        """Places of the columns of a kind in a row."""
        return [place for place, column in enumerate(self.columns, 1) if column.kind == kind]


def styled(key: str, style: str) -> str:
    """A snake-case key in another style of writing."""
    if style == "title":
        return " ".join(part.capitalize() for part in key.split("_"))
    if style == "camel":
        first, *others = key.split("_")
        return first + "".join(part.capitalize() for part in others)
    return key.replace("_", {"spaced": " ", "kebab": "-"}.get(style, "_"))


def make_table(rng: Random) -> Table:
    """A table of one of the trades: its columns in any order, some cells of the dates empty."""
    head, *lines = rng.choice(_TABLES.strip().split("\n# ")).splitlines()
    stems, thing, things, first = (part.strip() for part in head.removeprefix("# ").split("|"))
    style = rng.choice(["snake", "snake", "title", "spaced", "camel"])
    drawn = [_column(line, style, rng) for line in lines]
    if rng.random() < 0.4:
        drawn.pop(rng.randrange(3))
    rng.shuffle(drawn)
    size = rng.choice([4, 5, 6, 7, 8, 9, 11])
    kind = rng.choice(["word", "word", "pair", "code"])
    called = [*dict.fromkeys(_name(kind, rng) for _ in range(size))]
    cells = [rng.sample(values, len(values)) for _, values in drawn]
    rows = [[name, *(column[place] for column in cells)] for place, name in enumerate(called)]
    ending = rng.choice(["csv", "csv", "csv", "csv", "json"])
    if ending == "json":
        rows = rows[:5]
    path = f"{rng.choice(['', 'data/', 'lists/', 'tables/'])}{rng.choice(stems.split(','))}.{ending}"
    columns = [column for column, _ in drawn]
    ahead = rng.choice([0, 0, 0, 1, 2])
    return Table(path, thing, things, [styled(first, style), *(c.header for c in columns)], columns, rows, ahead)


def _name(kind: str, rng: Random) -> str:
    if kind == "pair":
        return f"{names.word(rng).capitalize()} {names.word(rng).capitalize()}"
    return names.word(rng).capitalize() if kind == "word" else f"{rng.choice('ABCDEFGHKLMN')}{rng.randint(1, 99):02}"


def _column(line: str, style: str, rng: Random) -> tuple[Column, list[str]]:
    """A column with cells for it, twenty or more."""
    start, *parts = line.split("|")
    kind, header, *values = start.split()
    header = styled(header, style)
    asks, *more = ([wording.strip() for wording in part.split(";")] for part in parts)
    if kind == "n":
        low, high = int(values[0]), int(values[1])
        cells = rng.sample(range(low, high + 1), min(20, high - low + 1)) + [rng.randint(low, high) for _ in range(10)]
        most, least, totals = more
        return Column(header, kind, asks, most, least, totals, [], []), [str(cell) for cell in cells]
    if kind == "c":
        some = rng.sample(values[0].split(","), 3)
        return Column(header, kind, asks, [], [], [], more[0], []), [rng.choice(some) for _ in range(20)]
    year, gaps = rng.randint(2021, 2027), rng.choice([0.0, 0.2, 0.3])
    days = [f"{year + rng.randint(0, 1)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}" for _ in range(20)]
    return Column(header, kind, asks, [], [], [], *more), ["" if rng.random() < gaps else day for day in days]
