"""Settings of many trades, with words that people have for their keys: never the keys themselves.

A block of `_SETTINGS` is one file: `# stems`, then `= SECTION | words for it` and its keys, each of them

    KEY VALUES | what it is; more words | questions about it

VALUES are LOW-HIGH, words with commas, or `yes` for a switch, whose words follow "switch off" and whose questions are
answered with yes or no.
"""

# ruff: noqa: E501  (one key a line)

import json
from dataclasses import dataclass
from random import Random
from typing import Any

from punie_cli.rows import names
from punie_cli.rows.look_tables import styled

_SETTINGS = """
# greenhouse,glasshouse
= watering | the watering
litres_per_bed 3-90 | amount of water for one bed; water each bed gets | how much water does one bed get; how much do we pour on a bed
start_hour 3-9 | time at which the sprinklers begin; hour the sprinklers come on | when do the sprinklers begin; when in the morning does it first sprinkle
rain_skip yes | the pause on wet days; skipping when it is wet outside | do we skip on wet days; does it stay off on wet days
= vents | the windows
open_above 18-36 | temperature from which the windows open; heat limit for the windows | at how many degrees do the windows open; how warm must it be for the windows to open
motor_side east,west,north | wall that drives the windows; place of the window motor | on which wall is the window motor; where did they put the window motor
# seedlab,germination
= trial | the germination test
sample_size 20-400 | number of seeds in one test; seeds taken per test | how many seeds go into one test; how many seeds do we take for a test
days_max 5-45 | longest time we wait for sprouts; waiting limit for sprouts | how long do we wait for sprouts; after how many days do we give up on sprouts
= label | the stickers
printer brother,zebra,dymo | device that makes the stickers; make of the sticker device | what prints the stickers; which make prints our stickers
with_lot yes | the lot number on stickers; lot numbers on the stickers | do the stickers carry the lot number; is the lot number on the stickers
# pager,oncall
= escalation | waking people up
ack_wait_min 2-45 | minutes before the next person is called; patience before we call the next person | how long until the next person is called; how many minutes may somebody sleep before we call another
second_line hanna,bogdan,lucia | the person called second; who is called if nobody answers | who is called if the first does not answer; who is called after the first one
= quiet | the night hours
begins_at 20-23 | hour from which nobody is disturbed; start of the night rest | from what hour is nobody disturbed; when does the night rest start
weekend_too yes | night rest on saturdays and sundays; the rest at weekends | does the night rest hold at weekends; do we leave people alone on sundays as well
# scanner,copyroom
= page | the scans
dpi 100-1200 | sharpness of the scans; fineness of scans | how sharp are the scans; how fine do we scan
skip_blank yes | leaving out empty sheets; dropping of empty sheets | are empty sheets dropped; do we leave out empty sheets
= target | where scans go
share_name vault,attic,ledger | network folder for scans; place scans are put | where do the scans go; in which network folder do scans end up
keep_days 3-180 | days until a scan is thrown away; how long scans stay | how long do scans stay; after how many days is a scan thrown away
# tram,signage
= display | the boards
refresh_s 5-90 | seconds between two updates of the boards; pace of the boards | how often do the boards change; how many seconds until the boards update
rows_shown 3-14 | number of departures on a board; departures that fit on a board | how many departures does a board list; how many trams do I see on a board
night_dim yes | darker boards after sunset; dimming after sunset | are the boards darker at night; do the boards dim after sunset
= voice | the announcements
speaker_lang polish,dutch,breton | tongue of the announcements; what the announcements are spoken in | in what tongue are the announcements; how does the voice speak
gap_ms 200-3000 | pause between two sentences; silence between announcements | how long is the pause between two sentences; how much silence is there between announcements
# brewery,mash
= kettle | the boiling
hold_minutes 20-150 | time it must boil; length of the boil | how long does it boil; how much time does it boil for
stir_speed 10-95 | turns of the paddle in a minute; pace of the paddle | how fast does the paddle turn; how many turns does the paddle make
= yeast | the fermentation
strain kveik,lager,saison | kind of yeast; the yeast we pitch | what yeast do we pitch; which yeast is used
pitch_grams 4-300 | yeast for one batch; weight of yeast we put in | how much yeast goes in; how many grams of yeast do we put in
blow_off yes | the pressure tube; the tube for excess gas | is there a tube for excess gas; do we use the pressure tube
# pool,lido
= water | the basin
chlorine_ppm 1-9 | chemicals in the basin; strength of the disinfection | how strong is the disinfection; how much of the chemical is in the basin
warm_to 21-33 | temperature we heat the basin to; warmth for swimmers | how warm do we make the basin; to how many degrees do we heat for swimmers
= entry | the gate
max_people 30-700 | number of bathers allowed at once; limit of bathers | how many bathers may be in at once; when are we full
ticket_style wristband,paper,token | what bathers get at the gate; proof of payment | what do bathers get at the gate; how do people show they paid
turnstile yes | the turning gate; counting at the gate | is the turning gate in use; do we count people at the gate
# newsletter,mailing
= sending | the mailing
batch 50-900 | letters sent in one go; number of mails at a time | how many mails leave in one go; how many letters are sent at a time
pause_s 2-120 | rest between two goes; seconds we wait before the next lot | how long do we rest between two goes; how many seconds until the next lot leaves
track_opens yes | counting who reads it; spying on readers | do we count who reads it; do we see whether it was read
= sender | who it comes from
from_name editors,board,kiosk | name readers see; name on top of the mail | what name do readers see; as whom do we write
reply_days 1-20 | time for answering readers; days we have to answer | within how many days do we answer readers; how fast must readers get an answer
# trains,layout,minirail
= track | the rails
scale_mm 9-45 | distance of the two rails; width between the rails | how far apart are the rails; how wide is it between the rails
top_speed 20-120 | fastest an engine may go; limit for engines | how fast may an engine go; what is the most an engine may do
= power | the supply
volts 9-24 | tension on the rails; what the transformer gives | what does the transformer give; how much tension is on the rails
cutoff yes | the safety switch; switching off at a short | is the safety switch active; does it go dead at a short
brand fulgurex,trix,roco | maker of the transformer; who built the transformer | who built the transformer; whose transformer is it
# clinic,frontdesk
= visits | the appointments
slot_min 5-60 | time for one patient; length of an appointment | how long does a patient have; how much time is there for one patient
remind_hours 2-72 | lead of the reminder; hours before, when we text patients | how long before do we text patients; when does the reminder go out
walk_ins yes | patients without appointment; taking people who just turn up | may people just turn up; do we take patients without an appointment
= billing | the bills
due_days 7-60 | time patients have to pay; days to pay | how long do patients have to pay; within how many days must one pay
money_form giro,card,cash | way patients pay; how bills are settled | how do patients pay; in what way are bills settled
# lift,elevator
= cabin | the cabin
load_kg 250-2100 | weight it can carry; most it may carry | how much can it carry; how heavy may people be together
door_hold_s 3-25 | seconds the doors stay open; patience of the doors | how long do the doors stay open; how many seconds do I have to get in
= rest | standing still
park_floor 0-12 | level where it waits; storey it goes back to | on what storey does it wait; where does it go when nobody calls
light_off yes | darkness when empty; saving light when empty | is it dark when nobody is in; do we save light when it is empty
tune none,chimes,harp | melody of the cabin; sound inside | what melody plays inside; what do people hear inside
# bookshop,till,register
= receipt | the slip
paper_mm 40-90 | width of the slip; how broad the roll is | how wide is the slip; what roll do we need for the slip
footer thanks,hours,coupon | what the slip ends with; last line of the slip | with what does the slip end; what stands at the bottom of the slip
= discount | reductions
student_pct 2-30 | what learners save; percent off for young people at school | how much do learners save; how many percent off for people at school
stack yes | several reductions at once; adding up reductions | may one add up reductions; can somebody have two reductions at once
min_total 5-90 | purchase from which it gets cheaper; smallest purchase with a reduction | from what purchase does it get cheaper; how much must I buy to save
# telescope,dome
= camera | the pictures
exposure_s 1-600 | time the shutter is open; length of one picture | how long is the shutter open; how long do we collect light
cool_to 2-28 | chill of the chip; degrees below zero at the chip | how cold is the chip; how far do we chill the chip
= roof | the roof
close_wind 20-90 | gust at which we shut; storm limit | at which gust do we shut; how stormy may it get before we shut
rain_guard yes | shutting at drops; the drop sensor | does it shut by itself at drops; is the drop sensor working
rail_oil graphite,teflon,lanolin | grease on the rails; what makes it slide | what grease is on the rails; with what do we make it slide
# chat,helpline,desk
= queue | the waiting line
max_waiting 5-120 | people who may wait; length of the waiting line | how many may wait; how long may the waiting line get
greet_after 3-60 | seconds until someone hears hello; time until hello | how soon does someone hear hello; after how many seconds do we say hello
= storage | old talks
wipe_days 10-400 | age at which talks are deleted; days we keep talks | how long do we keep talks; when are talks deleted
scramble yes | hiding names in talks; making talks anonymous | are names hidden in talks; do we make talks anonymous
vault_city Turku,Graz,Porto | place the talks are kept; where our disks stand | where are the talks kept; in what town do our disks stand
# farmgate,milking
= robot | the milking
cups_rinse_s 10-120 | seconds of cleaning between animals; cleaning time | how long is it cleaned between animals; how many seconds does cleaning take
visits_per_day 1-6 | how often an animal may come; daily turns of one animal | how often may an animal come; how many turns has one animal in 24 hours
= feed | the food
pellet_grams 100-2500 | treat at the robot; handful each animal gets | how big is the treat; how much does an animal get at the robot
mill_name Berger,Kilcoy,Anders | who brings the food; supplier of the food | who brings the food; from whom is the food
night_lamp yes | the lamp in the barn; light while animals sleep | is there light while animals sleep; does something burn in the barn all night
# parking,carpark
= tariff | prices
first_hour_ct 50-500 | price to begin with; cost of sixty minutes | what do sixty minutes cost; how much is it to begin with
day_cap 5-40 | most one pays until midnight; highest price of a day | what is the most one pays until midnight; how much can a day cost
= barrier | the bar
open_s 4-30 | seconds the bar is up; time to drive through | how long is the bar up; how many seconds do I have to drive through
plate_read yes | looking at number plates; the plate camera | do we look at number plates; is the plate camera in use
spare_key porter,florist,kiosk | who can lift it by hand; keeper of the hand crank | who can lift the bar by hand; where is the hand crank
# podcast,studio,recording
= sound | the recording
bitrate_k 64-320 | quality of the files; size of a second of sound | how good is the quality of the files; how much goes into a second of sound
hush_db 20-70 | level below which we cut; silence limit | how silent must it be for a cut; below which level do we cut
= publish | going out
weekday monday,thursday,saturday | day a new one appears; when listeners get it | on what day does a new one appear; when do listeners get it
teaser_s 10-90 | length of the preview; seconds of preview | how long is the preview; how many seconds do people hear beforehand
auto_text yes | the written version; making a transcript | do we make a transcript; is there a written version
# ferry,crossing
= timetable | the crossings
every_min 10-120 | time between two boats; rhythm of the boats | how often does a boat leave; how long do I wait for the next boat
last_run 17-23 | hour of the final boat; end of service | when does the final boat leave; at what hour is it over
= deck | the deck
lanes 2-9 | rows of cars; how many cars side by side | how many cars fit side by side; how many rows of cars are there
bikes_free yes | free ride for cyclists; letting cyclists ride for nothing | do cyclists ride for nothing; is it free with a bicycle
skipper Lund,Moreau,Haddad | who steers; name on the bridge | who steers; who stands on the bridge
# archive,vault,backup
= copies | the copies
keep_last 2-60 | number of old copies; copies that stay | how many old copies stay; how many copies do we have at most
at_hour 0-6 | time of the nightly copy; hour it runs | when does the copy run; at what time of night do we copy
= target | where copies go
medium tape,disk,cloud | what we copy to; carrier of the copies | what do we copy to; on what do the copies lie
squeeze yes | making copies smaller; packing of copies | are the copies packed; do we make the copies smaller
limit_gb 20-900 | space for copies; most that copies may take | how much space may copies take; how big may it all get
# laundry,washing
= drum | the wash
spin_rpm 400-1600 | speed at the end; turns when it dries | how fast does it turn at the end; how many turns to get the water out
soap_ml 10-150 | cleaner per load; what we pour in | how much do we pour in; how much cleaner is in a load
= coin | paying
price_ct 80-600 | cost of one load; what a guest throws in | what does a guest throw in; how much is one load
night_off yes | no washing at night; the ban after ten | is washing at night forbidden; is there a ban after ten
sponsor Persil,Ariel,Ecover | brand in the dispenser; whose cleaner we use | whose cleaner do we use; what brand is in the dispenser
"""


@dataclass(frozen=True)
class Key:
    """A setting, and what people say instead of its name."""

    section: str
    """Where it is; a dot stands before each deeper level."""
    place: str
    """Words for the section."""
    name: str
    value: int | str | bool
    spare: int | str | bool
    """Another value that it may have."""
    nouns: list[str]
    asks: list[str]

    def literal(self, form: str, value: object) -> str:
        """A value as the file writes it."""
        if isinstance(value, bool):
            return str(value).lower()
        return f'"{value}"' if isinstance(value, str) and form != "ini" else str(value)


@dataclass(frozen=True)
class Store:
    """A file of settings as a generated project holds it."""

    path: str
    form: str
    """`json`, `toml` or `ini`."""
    keys: list[Key]

    def line(self, key: Key, value: object) -> str:
        """The text that says which value a key has."""
        between = ": " if self.form == "json" else " = "
        name = f'"{key.name}"' if self.form == "json" else key.name
        return name + between + key.literal(self.form, value)

    @property
    def text(self) -> str:
        """The file."""
        sections: dict[str, list[Key]] = {}
        for key in self.keys:
            sections.setdefault(key.section, []).append(key)
        if self.form == "json":
            data: dict[str, Any] = {}
            for section, keys in sections.items():
                place = data
                for part in section.split("."):
                    place = place.setdefault(part, {})
                place.update({key.name: key.value for key in keys})
            return json.dumps(data, indent=2) + "\n"
        parts = ["\n".join([f"[{name}]", *(self.line(key, key.value) for key in s)]) for name, s in sections.items()]
        return "\n\n".join(parts) + "\n"


def make_store(rng: Random) -> Store:
    """The settings of one of the trades, in one of three forms."""
    head, *lines = rng.choice(_SETTINGS.strip().split("\n# ")).splitlines()
    form = rng.choice(["json", "json", "toml", "toml", "ini"])
    style = rng.choice(["snake", "snake", "kebab", "camel"])
    keys: list[Key] = []
    stem = rng.choice(head.removeprefix("# ").split(","))
    outer = f"{rng.choice([stem, names.word(rng)])}." if form != "ini" and rng.random() < 0.3 else ""
    section = place = ""
    for line in lines:
        if line.startswith("= "):
            section, place = (part.strip() for part in line.removeprefix("= ").split("|"))
            section = outer + section
            continue
        start, nouns, asks = line.split("|")
        name, values = start.split()
        value, spare = _values(values, rng)
        keys.append(Key(section, place, styled(name, style), value, spare, _words(nouns), _words(asks)))
    stem = rng.choice([stem, stem, f"{stem}-{names.word(rng)}", names.word(rng)])
    ending = rng.choice(["ini", "cfg"]) if form == "ini" else form
    return Store(f"{rng.choice(['', 'conf/', 'etc/', 'config/'])}{stem}.{ending}", form, keys)


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(";")]


def _values(text: str, rng: Random) -> tuple[int | str | bool, int | str | bool]:
    if text == "yes":
        on = rng.random() < 0.5
        return on, not on
    if "," in text:
        one, other = rng.sample(text.split(","), 2)
        return one, rng.choice([other, names.word(rng)])
    low, high = map(int, text.split("-"))
    one, other = rng.sample(range(low, high + 1), 2)
    return one, other
