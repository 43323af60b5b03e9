"""Whether a quantity in English describes the noun after it: "a three day offer", not "three days left"."""

from __future__ import annotations

from prompts.reading.listed import listed
from prompts.reading.sentence import Place
from prompts.reading.template import Kind

_ARTICLES = frozenset({"a", "an"})
#: With them one thing is meant, whatever the number: "this three piece set".
_SINGLE = frozenset({"this", "each"})
_DETERMINERS = frozenset(listed("the that your our my his her their its one new"))
_MORE = frozenset({"extra", "additional", "another", "further"})
#: After them a stretch of time stands alone: "in three days delivery is free".
_TIMING = frozenset(listed("in after within over during until till every next last past first coming following before"))
_ADJECTIVES = frozenset(
    listed("""
        big new free special great whole full huge nice good small large personal flat fixed standard extended double
        short long quick fast brief complimentary instant second cool lovely unique limited simple cheap easy single
        real true handy happy fresh famous latest original
    """)
)
_ADJECTIVE_ENDINGS = ("ous", "ive", "ful", "ical", "onal", "able", "less")
_JOINS = frozenset({"and", "or", "to", "by", ",", "-", "–"})
_TIMES = frozenset({"second", "minute", "hour", "day", "night", "week", "weekend", "month", "year"})
_UNITS = _TIMES | frozenset(
    listed("inch foot yard mile metre meter litre liter gram kilo kilogram pound ounce gallon pint watt gigabyte")
)
#: Other nouns that are counted to describe a thing: "a four person tent".
_PIECES = frozenset(
    listed("""
        piece person star course pack seat seater bedroom door part step question room channel speed page point player
        man storey story lane way item button core burner drawer shelf member guest wheel pack digit
    """)
)
_SIZES = frozenset(listed("old long wide tall deep high thick"))
#: Between a quantity and its noun only when the noun does follow: "the thirty day free trial".
_MAYBE = frozenset(listed("free monthly weekly daily yearly extra total minimum maximum"))
_BOUNDS = frozenset(listed("total minimum maximum"))
#: What a quantity describes in retail.
_HEADS = frozenset(
    listed("""
        offer sale deal discount promotion promo campaign warranty guarantee trial subscription plan contract membership
        delivery shipping shipment return refund period term window notice wait walk drive ride trip journey tour stay
        break holiday vacation flight session course class lesson workshop meeting call survey interview appointment
        slot visit lease loan credit instalment installment mortgage support service hotline helpline pass ticket card
        voucher coupon certificate gift prize bonus reward fee fine charge deposit payment prepayment bill note budget
        limit order purchase price set pack package box kit bundle menu meal dinner tent table sofa rating review bottle
        can jar bag tv television monitor screen display laptop phone tablet cable bulb bike pan pot ladder rug carpet
        balance amount value cashback rebate saving surcharge tax parking access protection cover coverage insurance
        hotel apartment flat house team code pin number heater vacuum machine mixer blender
        shelf cabinet wardrobe bed mattress fridge freezer oven kettle drill saw battery charger watch toy puzzle game
    """)
)
#: Those of them that are verbs as well: "the twelve shops offer ...".
_ACTIONS = frozenset(
    listed("offer order return walk drive ride stay visit call support charge credit refund cover stock ship plan fine")
)
_LY_NOUNS = frozenset({"family", "supply", "assembly", "jelly"})
_INSTRUMENTS = frozenset({"gift", "card", "voucher", "coupon", "certificate", "note", "bill", "banknote"})
_AUXILIARIES = frozenset(listed("is was has will can may must would could should of for from with in on"))
#: Words that don't make a quantity before them describe a thing: "six feet tall", "ten dollars off".
_NO_NOUNS = (
    _SIZES
    | _MAYBE
    | frozenset(
        listed("""
        of off or and for to from on in at with by away heavy big large apart per is are was were be been being will
        would can could should must may might has have had do does did ago later earlier early before after until till
        left more less cheaper lower higher longer shorter taller wider smaller bigger larger faster slower remaining
        back each every now then today tomorrow tonight yesterday only as than that which who whose if when while where
        since because plus minus but so the a an this these those your our my his her their its you we i it they he she
        please not no just about over under up down out into through throughout during within without between across
        around all both near expire expires remain remains await awaits apply applies ships went goes go come comes
        came saved here there again too also already yet still even once twice including excluding instead get gets got
        online instore cost costs enough together soon always never often however spent sent paid worth late inclusive
        upfront altogether arrive arrives start starts end ends begin begins need needs mean means help helps make makes
        give gives take takes let buy buys include includes fit fits weigh weighs waits deliver accept close open
        net gross earn save win qualify sell work look feel seem become turn keep hold bring allow equal require lead
        contains contain provides provide holds hold weigh covers cover equals feeds yields serves lasts
        inside outside indoors outdoors overnight below above behind beneath beyond further farther closer nearer
        thicker heavier lighter deeper warmer colder cooler hotter past against among onto upon via per
        monday tuesday wednesday thursday friday saturday sunday
        """)
    )
)


def shared_before(place: Place, kind: Kind) -> tuple[str, ...]:
    """The words before the variable, or before the first of several joined: "the {a:date} and {b:date}"."""
    before = place.before
    while len(before) > 1 and before[-1] in _JOINS and before[-2] == f"{{{kind}}}":
        before = before[:-2]
    return before


def describes(place: Place, kind: Kind, noun: str = "") -> bool:
    """Whether the quantity (of `noun`, for a count or a measure) stands before a noun that it describes.

    >>> describes(Place(("a",), ("offer",)), Kind.COUNT, "day")
    True
    """
    before = shared_before(place, kind)
    after = _shared_after(place.after, kind, noun)
    last = before[-1] if before else ""
    first = after[0] if after else ""
    if last in _ARTICLES or (place.hyphened and after[1:2] != ("worth",)):
        return True
    determined = last in _DETERMINERS | _SINGLE
    if first == "{name}":
        return kind is Kind.MEASURE or determined
    if first in _SIZES:
        return determined and _is_noun(after[1:])
    if last in _SINGLE:
        return _is_noun(after)
    if kind is Kind.MEASURE:
        # "At zero degrees Celsius water freezes": a temperature describes with an article only.
        return _is_noun(after) and not noun.startswith("degree")
    described_thing = kind is Kind.MONEY or noun in _UNITS | _PIECES
    if last in _DETERMINERS:
        if kind is Kind.MONEY and first in _BOUNDS:
            return True
        if kind is Kind.MONEY or noun in _UNITS:
            return _is_noun(after)
        return (_is_head(after) and not _is_verb(after)) or (
            described_thing and _is_noun(after) and first not in _ACTIONS and _is_head(after[1:])
        )
    if last in _MORE:
        return described_thing and _is_head(after)
    if len(before) > 1 and _is_adjective(last) and described_thing:
        if before[-2] in _ARTICLES:
            return _is_noun(after)
        return _is_head(after) and not _is_verb(after)
    if kind is Kind.MONEY:
        return _singular(first) in _INSTRUMENTS
    return noun in _UNITS and last not in _TIMING and _is_head(after)


def _shared_after(after: tuple[str, ...], kind: Kind, noun: str) -> tuple[str, ...]:
    """What follows the last of joined variables: "a {a:count day} or {b:count day} pass"."""
    own = tuple(noun.lower().split())
    while len(after) > 1 and after[0] in _JOINS and after[1] == f"{{{kind}}}":
        after = after[2:]
        if own and after[: len(own)] == own:
            after = after[len(own) :]
    return after


def _is_noun(after: tuple[str, ...]) -> bool:
    """Whether a noun, with or without adjectives, seems to follow."""
    first = after[0] if after else ""
    if not first[:1].isalpha():
        return False
    if first in _MAYBE or first.endswith("ed"):
        return _is_head(after[1:])
    return first not in _NO_NOUNS and (first in _LY_NOUNS or not first.endswith("ly"))


def _is_head(after: tuple[str, ...]) -> bool:
    if after and after[0] in _MAYBE:
        after = after[1:]
    return bool(after) and _singular(after[0]) in _HEADS


def _is_verb(after: tuple[str, ...]) -> bool:
    return after[0] in _ACTIONS and len(after) > 1 and after[1][:1].isalpha() and after[1] not in _AUXILIARIES


def _is_adjective(word: str) -> bool:
    return word in _ADJECTIVES or word.endswith(_ADJECTIVE_ENDINGS)


def _singular(word: str) -> str:
    if word in _HEADS:
        return word
    return next((word.removesuffix(end) for end in ("es", "s") if word.removesuffix(end) in _HEADS), word)
