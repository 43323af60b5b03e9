"""Units of measure and currencies: signs and abbreviations -> the words for them, per language."""

from __future__ import annotations

import re
from decimal import Decimal

from prompts.reading.errors import ReadingError, shown
from prompts.reading.values import number

#: currency -> (main unit, small unit), nominative singular.
CURRENCIES: dict[str, dict[str, tuple[str, str]]] = {
    "ru": {
        "RUB": ("рубль", "копейка"), "UAH": ("гривна", "копейка"), "USD": ("доллар", "цент"), "EUR": ("евро", "цент"),
        "GBP": ("фунт", "пенс"), "BYN": ("белорусский рубль", "копейка"), "KZT": ("тенге", "тиын"),
        "PLN": ("злотый", "грош"),
    },
    "uk": {
        "UAH": ("гривня", "копійка"), "RUB": ("рубль", "копійка"), "USD": ("долар", "цент"), "EUR": ("євро", "цент"),
        "GBP": ("фунт", "пенс"), "BYN": ("білоруський рубль", "копійка"), "KZT": ("теньге", "тіїн"),
        "PLN": ("злотий", "грош"),
    },
    "en": {
        "USD": ("dollar", "cent"), "UAH": ("hryvnia", "kopeck"), "RUB": ("rouble", "kopeck"), "EUR": ("euro", "cent"),
        "GBP": ("pound", "penny"), "BYN": ("Belarusian rouble", "kopeck"), "KZT": ("tenge", "tiyn"),
        "PLN": ("zloty", "grosz"),
    },
}  # fmt: skip
DEFAULT_CURRENCY = {"ru": "RUB", "uk": "UAH", "en": "USD"}
_SIGNS = {
    "₽": "RUB", "руб": "RUB", "р": "RUB", "rub": "RUB", "rur": "RUB", "₴": "UAH", "грн": "UAH", "uah": "UAH",
    "$": "USD", "usd": "USD", "€": "EUR", "eur": "EUR", "£": "GBP", "gbp": "GBP", "₸": "KZT", "kzt": "KZT",
    "byn": "BYN", "pln": "PLN", "zł": "PLN", "рублей": "RUB", "рубля": "RUB", "рубль": "RUB", "гривень": "UAH",
    "гривні": "UAH", "гривня": "UAH",
}  # fmt: skip
_MONEY = re.compile(r"(?P<before>[^\d\s+\-−–.,]*)\s*(?P<amount>[+\-−–]?\s*\d.*?)\s*(?P<after>[^\W\d_][^\d]*|[₽₴$€£₸])?")

_RUSSIAN = """
дюйм: " ″ “ ” '' дюйм дюйма дюймов дюйм. in
сантиметр: см см. cm
миллиметр: мм мм. mm
метр: м м. m
дециметр: дм
километр: км км. km
килограмм: кг кг. kg
грамм: г г. гр гр. g
миллиграмм: мг мг. mg
тонна: т т. t
литр: л л. l
миллилитр: мл мл. ml
штука: шт шт. штук pcs
упаковка: уп уп. упак упак.
пара: пар пара
ватт: Вт W вт
киловатт: кВт kW квт
мегаватт: МВт
киловатт-час: кВт·ч кВт*ч кВтч
вольт: В V
ампер: А A
миллиампер-час: мАч мА·ч mAh мач мА*ч
ампер-час: Ач А·ч А*ч Ah
ватт-час: Втч Вт·ч Вт*ч Wh
милливатт: мВт
вольт-ампер: ВА В·А
киловольт-ампер: кВА
гигабайт: ГБ Гб GB Gb гб
терабайт: ТБ Тб TB тб
мегабайт: МБ Мб MB мб
килобайт: КБ Кб KB кб
мегабит в секунду: Мбит/с Мбит/сек Mbps
гигабит в секунду: Гбит/с Gbps
процент: %
градус Цельсия: °C °С
градус: ° градусов
минута: мин мин. min
час: ч ч. час. h
секунда: с сек сек. с. s
день: дн дн. дней дня
год: лет г.л.
месяц: мес мес.
неделя: нед нед.
герц: Гц Hz
килогерц: кГц
мегагерц: МГц MHz
гигагерц: ГГц GHz
децибел: дБ дб dB
мегапиксель: Мп МП Мпикс MP
пиксель: пикс px
квадратный метр: м² м2 кв.м кв.м.
кубический метр: м³ м3 куб.м
квадратный сантиметр: см² см2
лошадиная сила: л.с. лс
километр в час: км/ч
метр в секунду: м/с
оборот в минуту: об/мин
рубль: ₽ руб руб.
гектар: га
центнер: ц
микрометр: мкм
нанометр: нм nm
микрограмм: мкг
квадратный километр: км² км2 кв.км
погонный метр: пог.м пог.м. п.м. пм
килокалория: ккал kcal
килоджоуль: кДж
паскаль: Па
килопаскаль: кПа
мегапаскаль: МПа
бар: бар bar
атмосфера: атм атм.
ньютон-метр: Н·м Нм Н*м
люмен: лм lm
кельвин: К K
метр в секунду: м/с
метр в минуту: м/мин
литр в минуту: л/мин
литр в час: л/ч
кубический метр в час: м³/ч м3/ч куб.м/ч
грамм на квадратный метр: г/м² г/м2
кадр в секунду: к/с кадр/с fps
карат: кар кар. карат
фунт: фунт lb lb. lbs
унция: унция oz oz.
фут: фут ft
миля: миля mi mi.
рулон: рул рул. рулон
пачка: пач пач. пачка
бутылка: бут бут. бутылка
банка: бан бан. банка
коробка: кор кор. коробка
комплект: компл компл. к-т комплект
набор: наб наб. набор
экземпляр: экз экз.
человек: чел чел.
таблетка: таб таб. табл табл.
капсула: капс капс.
порция: порц порц. порция
сотка: сот сот. сотка
"""
_UKRAINIAN = """
дюйм: " ″ “ ” '' дюйм дюйма дюймів in
сантиметр: см см. cm
міліметр: мм мм. mm
метр: м м. m
дециметр: дм
кілометр: км км. km
кілограм: кг кг. kg
грам: г г. гр гр. g
міліграм: мг мг. mg
тонна: т т. t
літр: л л. l
мілілітр: мл мл. ml
штука: шт шт. штук pcs
упаковка: уп уп. упак упак.
пара: пар пара
ват: Вт W вт
кіловат: кВт kW квт
мегават: МВт
кіловат-година: кВт·год кВт*год
вольт: В V
ампер: А A
міліампер-година: мАг мА·год mAh
гігабайт: ГБ Гб GB Gb гб
терабайт: ТБ Тб TB тб
мегабайт: МБ Мб MB мб
кілобайт: КБ Кб KB кб
мегабіт на секунду: Мбіт/с Mbps
гігабіт на секунду: Гбіт/с Gbps
відсоток: %
градус Цельсія: °C °С
градус: °
хвилина: хв хв. min
година: год год. h
секунда: с сек сек. с. s
день: дн дн. днів дні
місяць: міс міс.
тиждень: тиж тиж.
герц: Гц Hz
кілогерц: кГц
мегагерц: МГц MHz
гігагерц: ГГц GHz
децибел: дБ дб dB
мегапіксель: Мп МП Мпікс MP
піксель: пікс px
квадратний метр: м² м2 кв.м кв.м.
кубічний метр: м³ м3 куб.м
квадратний сантиметр: см² см2
кінська сила: к.с. кс
кілометр на годину: км/год
метр на секунду: м/с
оберт за хвилину: об/хв
гривня: ₴ грн грн.
гектар: га
центнер: ц
"""
_ENGLISH = """
inch: " ″ “ ” '' in in. inch inches дюйм дюйма дюймов
foot: ft ft. ' ′
yard: yd yd.
mile: mi mi. mile miles
centimetre: cm cm. см см.
millimetre: mm mm. мм мм.
metre: m m. м м.
kilometre: km km. км км.
kilogram: kg kg. kgs кг кг.
gram: g g. gr г г. гр гр.
milligram: mg mg. мг мг.
tonne: t t. т т.
pound: lb lb. lbs lbs.
ounce: oz oz.
litre: l l. L л л.
millilitre: ml ml. mL мл мл.
gallon: gal gal.
pint: pt pt.
piece: pcs pcs. pc pc. шт шт.
pack: pk pk. уп уп.
watt: W w Вт вт
kilowatt: kW kw кВт квт
kilowatt hour: kWh kwh
volt: V v В
amp: A А
milliamp hour: mAh мАч
gigabyte: GB Gb gb ГБ Гб гб
terabyte: TB Tb tb ТБ Тб тб
megabyte: MB Mb mb МБ Мб мб
kilobyte: KB kB Kb kb КБ Кб кб
megabit per second: Mbps Mbit/s
gigabit per second: Gbps
percent: %
degree Celsius: °C °С
degree Fahrenheit: °F
degree: °
minute: min min. mins мин мин.
hour: h h. hr hrs hr. ч ч.
second: s sec sec. с сек сек.
day: d days day
week: wk wks
month: mo mos
year: yr yrs
hertz: Hz Гц
kilohertz: kHz
megahertz: MHz МГц
gigahertz: GHz ГГц
decibel: dB дБ
megapixel: MP Mpx Мп МП
pixel: px
square metre: m² m2 sqm
square foot: ft² sqft ft2
cubic metre: m³ m3
horsepower: hp
mile per hour: mph
kilometre per hour: km/h kmh
"""


def _units(listed: str) -> dict[str, str]:
    units = {}
    for line in listed.strip().splitlines():
        word, _, signs = line.partition(": ")
        units.update(dict.fromkeys(signs.split(), word))
    return units


UNITS = {"ru": _units(_RUSSIAN), "uk": _units(_UKRAINIAN), "en": _units(_ENGLISH)}
_SPLIT = re.compile(r"(?P<number>[+\-−–]?\s*\d[\d\s\u00a0\u2009\u202f.,]*?)\s*(?P<unit>[^\d\s.,+\-−–].*)")
_SIZES = re.compile(r"(\d+(?:[.,]\d+)?)\s*[xхXХ×*]\s*(?=\d)")


def measure(language: str, value: str) -> tuple[tuple[Decimal, ...], str]:
    """The numbers (several for "120x60 см") and the unit's words in the singular; raises ReadingError."""
    sizes = []
    rest = value
    while found := _SIZES.match(rest):
        sizes.append(number(found.group(1)))
        rest = rest[found.end() :]
    parts = _SPLIT.fullmatch(rest)
    if parts is None:
        raise ReadingError(f"{shown(value)} is not a number with a unit.", 'Write it as 1.5 kg, 500 ml or 27".')
    unit = re.sub(r"\s+", "", parts.group("unit"))
    units = UNITS[language]
    word = units.get(unit) or units.get(unit.lower()) or units.get(unit.rstrip("."))
    if word is None:
        word = _whole_word(language, parts.group("unit").strip())
    if word is None:
        raise ReadingError(f"{shown(unit)} is not a known unit.", "Write the unit as cm, kg, l, GB and the like.")
    return (*sizes, number(parts.group("number"), comma_groups=language == "en")), word


def _whole_word(language: str, unit: str) -> str | None:
    """The unit when the value names it in full: "2 килограмма"."""
    words = set(UNITS[language].values())
    if unit.lower() in words:
        return unit.lower()
    if language == "en":
        singular = unit.lower().removesuffix("s")
        american = singular.replace("liter", "litre").replace("meter", "metre")
        return next((word for word in (singular, american) if word in words), None)
    from prompts.reading.nouns import parses

    return next((each.normal_form for each in parses(language, unit.lower()) if each.normal_form in words), None)


def money(language: str, value: str, currency: str) -> tuple[int, int, str, bool]:
    """Whole units, hundredths, the currency's code and whether it is negative; raises ReadingError.

    A sign in the value ("1201 ₽") names the currency when the text doesn't.
    """
    found = _MONEY.fullmatch(value)
    if found is None:
        raise ReadingError(f"{shown(value)} is not an amount.", "Write it as 1201.50 or 1 201,50.")
    signs = [(found.group(side) or "").strip().rstrip(".").lower() for side in ("before", "after")]
    named = ""
    for sign in filter(None, signs):
        if sign not in _SIGNS:
            raise ReadingError(f"{shown(sign)} is not a known currency.", "Write the amount as a plain number.")
        named = _SIGNS[sign]
    amount = number(found.group("amount"), comma_groups=language == "en").quantize(Decimal("0.01"), "ROUND_HALF_UP")
    size = abs(amount)
    main = int(size)
    return main, int((size - main) * 100), currency or named or DEFAULT_CURRENCY[language], amount < 0
