"""The site's settings: what may be written into ivr.toml and secrets.toml, each value checked.

A site is a folder that `ivr init` makes:

    ivr.toml  secrets.toml (mode 0600)  dialplans/*.yaml  prompts/texts/*.yaml  prompts/recordings/
    tenants/NAME/   tenant.toml and folders as above, of another retailer whom the same machine serves
    var/      ivr.sqlite3, audio/ (cache), spool/, asterisk/ (etc, run, log), lab/
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Collection
from pathlib import Path
from typing import Literal
from zoneinfo import ZoneInfo

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationInfo, field_validator

from ivr.addresses import one_address
from people.numbers import Unreadable, is_country, read_phone
from prompts.languages import Language

Codec = Literal["alaw", "ulaw", "g722"]
Transport = Literal["udp", "tcp", "tls"]

#: The trunk of the section [trunk], and what others may be called.
MAIN = "main"
TRUNK_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
#: Folder of a site in which its other tenants have theirs.
TENANTS = "tenants"
TENANT_FILE = "tenant.toml"
#: A number inside the operator's or the retailer's own exchange.
_INTERNAL = re.compile(r"[0-9*#]{1,15}")
_NUMBER_FIELD = re.compile(r"\{(e164|digits|national)\}")


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Trunk(_Section):
    """A SIP peer that carries calls. Its password is better kept in secrets.toml than here."""

    host: str = Field(min_length=1)
    port: int = Field(5060, ge=1, le=65535)
    #: How SIP goes to it.
    transport: Transport = "udp"
    #: sdes: the audio is encrypted, by keys that SIP carries; auto: with tls it is, else not.
    srtp: Literal["auto", "off", "sdes"] = "auto"
    #: Name to authenticate with; empty: the operator knows us by address.
    user: str = ""
    #: Password for `user`, when secrets.toml has none.
    secret: SecretStr = SecretStr("")
    #: Send REGISTER to the operator.
    register_with_operator: bool = Field(False, alias="register")
    codec: Codec = "alaw"
    #: Number shown to subscribers, E.164 or as the operator wants it.
    caller_id: str = ""
    #: How a number is dialled: {e164} +79161234567, {digits} 79161234567, {national} 9161234567.
    dial_format: str = "{digits}"
    #: A phone that sends no audio for so long is dead and hung up on; one that never speaks at all, too.
    rtp_timeout_s: int = Field(60, ge=10, le=3600)
    #: The most that all campaigns together may use; each campaign has its own share (`Outbound`).
    channels: int = Field(2000, ge=1, le=2000)
    calls_per_second: float = Field(200.0, gt=0, le=200)
    #: Beginnings of the numbers that it carries, E.164; empty: every number. The longest that fits decides between
    #: trunks, then the lower position.
    prefixes: tuple[str, ...] = ()
    position: int = Field(0, ge=0, le=1000)
    #: Whose calls it carries; empty: everybody's.
    tenants: tuple[str, ...] = ()
    enabled: bool = True

    _host = field_validator("host")(one_address)

    @property
    def encrypted(self) -> bool:
        """Whether its audio is."""
        return self.srtp == "sdes" or (self.srtp == "auto" and self.transport == "tls")

    @field_validator("prefixes")
    @classmethod
    def _beginnings(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for each in value:
            if not re.fullmatch(r"\+?[1-9][0-9]{0,14}", each):
                raise ValueError(f"{each[:20]!r} begins no number; write the country and what follows, such as +380")
        return tuple("+" + each.removeprefix("+") for each in value)

    @field_validator("dial_format")
    @classmethod
    def _known_fields(cls, value: str) -> str:
        bare = _NUMBER_FIELD.sub("", value)
        if "{" in bare or "}" in bare:
            raise ValueError("use {e164}, {digits} or {national}, as they stand here")
        if bare == value:
            raise ValueError("the number itself is missing; use {e164}, {digits} or {national}")
        if not re.fullmatch(r"[0-9A-Za-z+*#._-]*", bare):
            raise ValueError("beside the number there may be letters, digits and + * # . _ -")
        return value


class Hotline(_Section):
    #: Which flow answers which dialled number; "*" answers every other number.
    numbers: dict[str, str] = {"*": "hotline"}


class Agi(_Section):
    """The FastAGI server that the dialplan connects to."""

    host: str = Field("127.0.0.1", min_length=1)
    port: int = Field(4573, ge=1, le=65535)
    #: A second engine ("host:port") that the dialplan tries when this one is away; empty: none.
    second: str = ""
    #: A call longer than this is ended.
    max_call_s: int = Field(900, ge=10)
    #: Headers must be complete by then.
    header_timeout_s: float = Field(5.0, gt=0)
    #: On stop, calls in progress may finish for so long; then they are told goodbye.
    #: The shipped promo lasts up to 86 s.
    drain_s: float = Field(120.0, ge=0)
    #: An engine that stands still for so long is ended; callers are led past it after half of that. It shows that it
    #: moves each second, and the whole seconds of two clocks are compared. systemd's own patience is 30 s.
    hung_after_s: int = Field(10, ge=6, le=25)

    _host = field_validator("host")(one_address)


class AsteriskSettings(_Section):
    """The Asterisk beside the engine."""

    #: embedded: fetched and started by us; system: the machine's own binary, started by us with our configuration;
    #: external: somebody else starts it and we only connect; auto: system if there is one, else embedded.
    mode: Literal["auto", "embedded", "system", "external"] = "auto"
    #: Where SIP is bound.
    sip_host: str = "0.0.0.0"  # noqa: S104 - the operator calls from outside
    sip_port: int = Field(5060, ge=1, le=65535)
    #: Where SIP by TLS is listened on; SIP by TCP has sip_port.
    tls_port: int = Field(5061, ge=1, le=65535)
    #: Files with our certificate and its key (PEM), for operators who connect to us by TLS; empty: none does.
    tls_cert: str = ""
    tls_key: str = ""
    #: Whether an operator's certificate must be good for its name, and the file of those whom we believe (PEM); empty:
    #: whom the machine believes.
    tls_verify: bool = True
    tls_ca: str = ""
    #: Address at which the operator reaches this machine when it is behind NAT; empty: its own.
    public_host: str = ""
    rtp_start: int = Field(10000, ge=1024, le=65535)
    rtp_end: int = Field(12000, ge=1024, le=65535)
    ami_host: str = Field("127.0.0.1", min_length=1)
    ami_port: int = Field(5038, ge=1, le=65535)
    ami_user: str = "ivr"
    #: An Asterisk that gives no answer for so long is ended and started again.
    hung_after_s: float = Field(30.0, ge=3, le=3600)

    _hosts = field_validator("public_host", "ami_host")(one_address)

    @field_validator("ami_user")
    @classmethod
    def _a_user(cls, value: str) -> str:
        if value.lower() == "general":
            raise ValueError("general is a section of Asterisk's manager.conf and can't be a user; choose another name")
        return value


class Outbound(_Section):
    """Defaults of a campaign; each campaign may set its own."""

    #: Calls at one time.
    channels: int = Field(10, ge=1, le=2000)
    calls_per_second: float = Field(2.0, gt=0, le=200)
    #: How long a phone rings.
    ring_s: int = Field(30, ge=5, le=120)
    #: Attempts per lead, the first one included, when busy or not answered.
    max_attempts: int = Field(3, ge=1, le=20)
    retry_after_s: int = Field(1800, ge=1)
    #: detect: answering machines are told from people before the message starts; off: whoever answers hears it.
    machines: Literal["detect", "off"] = "detect"


class Speech(_Section):
    """`auto` takes the first engine that works here and says which."""

    engine: dict[Language, str] = {}
    voice: dict[Language, str] = {}
    #: 1.0 is the voice's own speed.
    speed: float = Field(1.0, ge=0.5, le=2.0)
    #: Pauses between sentences and parts of them; 1.0 is the usual length.
    pause: float = Field(1.0, ge=0.2, le=3.0)
    #: Speech level of every prompt, LUFS.
    level_lufs: float = Field(-21.0, ge=-40, le=-10)


class Prompts(Speech):
    """Speech, and the machine's cache of it."""

    cache_max_mb: int = Field(2000, ge=10)


class Retention(_Section):
    """How many whole days what is kept, beside today; 0: for ever."""

    #: What was heard and pressed on each call; calls with it; requests of callers.
    journal_days: int = Field(0, ge=0, le=36500)
    calls_days: int = Field(0, ge=0, le=36500)
    requests_days: int = Field(0, ge=0, le=36500)
    #: Names, numbers and columns of people whom no campaign dials any more; counts stay.
    people_days: int = Field(0, ge=0, le=36500)
    #: Logs and Asterisk's records that were put aside; what a restored copy has replaced.
    logs_days: int = Field(0, ge=0, le=36500)
    copies_days: int = Field(0, ge=0, le=36500)
    #: Of the site's time zone: when `ivr up` removes what is due.
    hour: int = Field(4, ge=0, le=23)


class Secrets(_Section):
    ami_secret: SecretStr = SecretStr("")
    #: Of `trunk.user`, and of other trunks' by name.
    trunk_secret: SecretStr = SecretStr("")
    trunk_secrets: dict[str, SecretStr] = {}
    #: Of the role that `database` names.
    database_password: SecretStr = SecretStr("")


class TenantSettings(_Section):
    """What is a tenant's own: of the site's own tenant it stands in ivr.toml, of others in tenants/NAME/tenant.toml."""

    #: The retailer's name as people read it in reports.
    title: str = ""
    #: Language of reports, and of callers whose language is not known.
    language: Language = "ru"
    #: Time zone of reports, such as Europe/Moscow.
    timezone: str = "Europe/Moscow"
    #: ISO country whose national numbers the contacts file may hold.
    region: str = Field("RU", pattern=r"^[A-Z]{2}$")
    hotline: Hotline = Hotline(numbers={})
    #: Where a flow may transfer to: name -> number, dialled through the trunk by its dial_format.
    destinations: dict[str, str] = {}
    outbound: Outbound = Outbound()
    prompts: Speech = Speech()

    @property
    def transfers_to(self) -> Collection[str] | None:
        """Names that a flow may transfer to; None: the site has none yet, so that transfers can't be held against them.

        Callers who ask for an operator are then told that all are busy.
        """
        return self.destinations.keys() or None

    @field_validator("region")
    @classmethod
    def _country(cls, value: str) -> str:
        if not is_country(value):
            raise ValueError("is no ISO country with a telephone network, such as RU, UA, KZ or GB")
        return value

    @field_validator("destinations")
    @classmethod
    def _can_be_dialled(cls, value: dict[str, str], info: ValidationInfo) -> dict[str, str]:
        for name, number in value.items():
            read = read_phone(number, region=info.data.get("region", "RU"))
            if isinstance(read, Unreadable) and not _INTERNAL.fullmatch(number):
                raise ValueError(f"{name} = {number!r} is no number ({read.why}); write it as +74951234567")
        return value

    @field_validator("timezone")
    @classmethod
    def _zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("is no IANA time zone, such as Europe/Moscow") from error
        return value


class Settings(TenantSettings):
    """What may stand in ivr.toml: the machine's, and that of the site's own tenant."""

    #: Short name of the retailer, stored with every row: letters, digits, dash.
    tenant: str = Field("shop", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    #: postgresql://role@host/name, the password in secrets.toml; or another SQLAlchemy URL; empty: var/ivr.sqlite3.
    database: str = ""
    #: Name of this Asterisk with its engine and audio; engines that share a database have a name each.
    gateway: str = Field("main", pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")
    #: The first of the site's trunks, which is called main; the others by name.
    trunk: Trunk
    trunks: dict[str, Trunk] = {}
    hotline: Hotline = Hotline()
    agi: Agi = Agi()
    asterisk: AsteriskSettings = AsteriskSettings()
    prompts: Prompts = Prompts()
    retention: Retention = Retention()

    @field_validator("database")
    @classmethod
    def _an_address(cls, value: str) -> str:
        if not value:
            return value
        # Slow to import, and seldom in use.
        from sqlalchemy.engine import make_url
        from sqlalchemy.exc import ArgumentError

        try:
            make_url(value)
        except (ArgumentError, ValueError):
            # Its own words may quote the password.
            raise ValueError("is no address of a database, such as postgresql://role@host/name") from None
        return value

    @field_validator("trunks")
    @classmethod
    def _other_names(cls, value: dict[str, Trunk]) -> dict[str, Trunk]:
        for name in value:
            if name == MAIN or not TRUNK_NAME.fullmatch(name):
                raise ValueError(f"{name[:40]!r} is no name for a trunk; {MAIN} is the one under [trunk]")
        return value

    @property
    def of_tenant(self) -> TenantSettings:
        """Those of the tenant alone."""
        return TenantSettings.model_validate({name: getattr(self, name) for name in TenantSettings.model_fields})

    def for_tenant(self, name: str, own: TenantSettings) -> Settings:
        """The machine's, with `own` in place of those of the site's own tenant."""
        theirs: dict[str, object] = {each: getattr(own, each) for each in TenantSettings.model_fields}
        speech = {each: getattr(own.prompts, each) for each in Speech.model_fields}
        return self.model_copy(update={**theirs, "tenant": name, "prompts": self.prompts.model_copy(update=speech)})


class Site(BaseModel):
    """A site folder with its settings and secrets; or that of one of its tenants, on the same machine."""

    model_config = ConfigDict(frozen=True)

    folder: Path
    settings: Settings
    secrets: Secrets
    #: The site whose machine it is; None: it is that itself.
    machine: Site | None = None

    @property
    def var(self) -> Path:
        return (self.machine or self).folder / "var"

    def of_tenant(self, name: str, own: TenantSettings) -> Site:
        """The same machine as another tenant of it sees it, in the folder tenants/NAME, which need not be there."""
        folder = self.folder / TENANTS / name
        settings = self.settings.for_tenant(name, own)
        return Site(folder=folder, settings=settings, secrets=self.secrets, machine=self)

    @property
    def agi_key(self) -> str:
        """What the site's dialplan sends to the engine with every call, so that no other program can open one.

        32 hexadecimal characters, made of ami_secret, so that there is no second secret to keep.
        """
        secret = self.secrets.ami_secret.get_secret_value().encode()
        return hmac.new(secret, b"ivr: the dialplan's key to the engine", "sha256").hexdigest()[:32]

    @property
    def database_url(self) -> str:
        """With the password in it: for whoever opens it, never to be shown."""
        from sqlalchemy.engine import URL, make_url

        if self.settings.database:
            url = make_url(self.settings.database)
            if password := self.secrets.database_password.get_secret_value():
                url = url.set(password=password)
            return url.render_as_string(hide_password=False)
        # A % in the folder's name is no escape.
        return URL.create("sqlite+aiosqlite", database=str(self.var / "ivr.sqlite3")).render_as_string()

    @property
    def audio(self) -> Path:
        """The cache of rendered audio."""
        return self.var / "audio"

    @property
    def spool(self) -> Path:
        """Call-back requests noted by the local fallback while the engine was away."""
        return self.var / "spool"

    @property
    def asterisk(self) -> Path:
        """etc/, run/, log/ of the site's Asterisk."""
        return self.var / "asterisk"
