"""What is wrong with a flow that its grammar allows: where it leads, what it says, and what a promo call must have.

Pure: the sentences and the destinations are given.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice

from faults import Fault
from ivr.flow.fields import Use, did_you_mean, shortened, suggestion
from ivr.flow.graph import reached, rings, texts
from ivr.flow.model import Flow
from ivr.flow.parse import Parsed
from prompts.languages import Language
from prompts.reading import ReadingError, TemplateError, read, variables
from prompts.sentences import Sentence, Sentences
from prompts.trial import unreadable

#: Variables that every call has.
CALL_VARIABLES = ("caller", "language")
#: Nobody reads more at a time.
MAX_FAULTS = 200


def check_flow(parsed: Parsed, sentences: Sentences, destinations: Collection[str] | None = None) -> list[Fault]:
    """The faults of the flow, at most MAX_FAULTS. Without `destinations`, transfers are not looked at."""
    check = _Check(parsed)
    found = chain(
        check.targets(),
        check.paths(),
        check.promo(),
        check.findings(destinations),
        _texts(parsed, sentences),
    )
    return list(islice(found, MAX_FAULTS))


def unread_texts(flows: Iterable[Flow], sentences: Sentences) -> list[Fault]:
    """The texts of flows that can't be read whatever values a call gives, so that their fallbacks are spoken instead.

    No fault of the flow itself: it answers calls.
    """
    return list(unreadable(sentences, {say.text for flow in flows for say in texts(flow)}))


@dataclass
class _Check:
    parsed: Parsed

    def __post_init__(self) -> None:
        self.flow = self.parsed.flow
        self.nodes = self.flow.nodes
        unknown = dict.fromkeys(target.to for target in self.parsed.targets if target.to not in self.nodes)
        #: What a misspelt target most likely was, so that one mistake does not make half of the flow unreachable.
        self.meanings = {name: suggestion(name, self.nodes) or name for name in islice(unknown, MAX_FAULTS)}
        self.ways = {name: node.links() for name, node in self.nodes.items()}
        self.after = {
            name: tuple(dict.fromkeys(self.meant(way.to) for way in ways)) for name, ways in self.ways.items()
        }

    def fault(self, line: int | None, what: str, mend: str) -> Fault:
        return Fault(what=shortened(what), mend=mend, where=self.parsed.path, line=line)

    def at(self, name: str) -> int:
        return self.nodes[name].line

    def meant(self, name: str) -> str:
        """The node that a target means."""
        return self.meanings.get(name, name)

    def next_of(self, name: str) -> tuple[str, ...]:
        return self.after[name]

    def silent_next_of(self, name: str) -> list[str]:
        return [self.meant(way.to) for way in self.ways[name] if way.silent]

    # ------------------------------------------------------------ where it leads

    def targets(self) -> Iterator[Fault]:
        for target in self.parsed.targets:
            if target.to not in self.nodes and not (self.parsed.opaque and target.to in self.parsed.node_names):
                place = f"In {target.node}: there" if target.node else "There"
                mend = did_you_mean(target.to, self.nodes, "Name a node of this flow, or add this one.")
                yield self.fault(target.line, f"{place} is no node {target.to}.", mend)

    def paths(self) -> Iterator[Fault]:
        if self.parsed.opaque or "start" not in self.parsed.lines:
            return
        from_start = reached(self.nodes, [self.meant(self.flow.start)], self.next_of)
        for name in self.nodes:
            if name not in from_start and self.parsed.is_written(name):
                yield self.fault(self.at(name), f"No way leads to {name}.", "Lead a key to it, or remove it.")
        yield from self.endless(from_start)

    def endless(self, from_start: set[str]) -> Iterator[Fault]:
        """Dead ends, loops that never wait, and loops in which a silent caller goes round for ever."""
        ends = [name for name, node in self.nodes.items() if node.ends]
        before: dict[str, list[str]] = {name: [] for name in self.nodes}
        for name in self.nodes:
            for to in self.next_of(name):
                before.setdefault(to, []).append(name)
        ending = reached(self.nodes, ends, lambda name: before[name])
        told: set[str] = set()

        still = {name: node for name, node in self.nodes.items() if name in from_start and not node.waits()}
        for ring in rings(still, self.next_of):
            told.update(ring)
            what = f"{_chain(ring)} goes round for ever without saying or asking anything."
            yield self.fault(self.at(ring[0]), what, "Lead one of them elsewhere.")
        for name in self.nodes:
            if name in from_start and name not in ending and name not in told and self.known_ways(name):
                group = reached(self.nodes, [name], self.next_of)
                told.update(group)
                mend = "Give it a way to a hang_up, such as goodbye."
                yield self.fault(self.at(name), f"{name} is a dead end: no hang-up can be reached from it.", mend)
        within = {name: node for name, node in self.nodes.items() if name in from_start}
        for ring in rings(within, self.silent_next_of):
            if not told.intersection(ring):
                what = f"{_chain(ring)} never lets go of a caller who presses nothing."
                mend = "Let its no_input, then or failed lead to a hang-up in the end, such as goodbye."
                yield self.fault(self.at(ring[0]), what, mend)

    def known_ways(self, name: str) -> bool:
        """Every node after `name` exists; else the missing one is the fault, and this may be no dead end."""
        group = reached(self.nodes, [name], self.next_of)
        return all(to in self.nodes for other in group for to in self.next_of(other))

    # ------------------------------------------------------------ promo

    def promo(self) -> Iterator[Fault]:
        main = self.flow.main_message
        line = self.parsed.lines.get("main_message") or self.parsed.lines.get("kind")
        if self.flow.kind != "promo":
            if main is not None:
                mend = "Remove it, or write kind: promo."
                yield self.fault(line, "main_message is for promo flows; this one is a hotline.", mend)
            return
        if main is None:
            if "main_message" not in self.parsed.lines:
                mend = "Add main_message: KEY, the text that the campaign is about."
                yield self.fault(line, "The promo flow has no main_message.", mend)
            return
        if self.parsed.opaque:
            return
        from_start = reached(self.nodes, [self.meant(self.flow.start)], self.next_of)
        tellers = [name for name in self.nodes if name in from_start and self.tells(name, main)]
        if not tellers:
            used = {say.text: say for node in self.nodes.values() for say in node.says()}
            mend = did_you_mean(main, used, "Say it in the first menu.")
            yield self.fault(line, f"The main message {main} is never said.", mend)
        for name in tellers:
            menus = self.menus_after(name)
            if not menus:
                mend = "Say the message in a menu with a key that leads to an opt_out node."
                yield self.fault(self.at(name), f"No menu follows the main message in {name}.", mend)
            for menu in menus:
                if not self.offers_opt_out(menu):
                    what = f"{menu} follows the main message and has no key to opt out of further calls."
                    yield self.fault(self.at(menu), what, "Add a key that leads to an opt_out node.")

    def tells(self, name: str, main: str) -> bool:
        return any(say.text == main for say in self.nodes[name].says())

    def menus_after(self, name: str) -> list[str]:
        """The menu that says the message itself, or the first ones that follow it."""

        def on(name: str) -> tuple[str, ...]:
            return () if self.nodes[name].offers_keys else self.next_of(name)

        group = reached(self.nodes, [name], on)
        return [other for other in self.nodes if other in group and self.nodes[other].offers_keys]

    def offers_opt_out(self, menu: str) -> bool:
        keys = [self.meant(way.to) for way in self.ways[menu] if way.pressed]
        others = {name: node for name, node in self.nodes.items() if name != menu}
        return any(self.nodes[name].opts_out for name in reached(others, keys, self.next_of))

    # ------------------------------------------------------------ what the nodes themselves find

    def findings(self, destinations: Collection[str] | None) -> Iterator[Fault]:
        for node in self.nodes.values():
            for what, mend in node.findings(self.flow.languages, destinations):
                yield self.fault(node.line, f"In {node.name}: {what}", mend)


def _chain(ring: tuple[str, ...]) -> str:
    return " -> ".join((*ring, ring[0]))


# ---------------------------------------------------------------- texts and their variables


def _texts(parsed: Parsed, sentences: Sentences) -> Iterator[Fault]:
    known = _known_variables(parsed)
    malformed: set[tuple[object, int]] = set()
    for use in parsed.uses:
        the_text = f"In {use.node}: the text" if use.node else "The text"
        found = {language: sentences.get(language, use.say.text) for language in parsed.flow.languages}
        missing = [language for language, sentence in found.items() if sentence is None]
        if missing:
            mend = f"Write it in prompts/texts/{missing[0]}.yaml."
            if len(missing) == len(found):
                mend = did_you_mean(use.say.text, sentences.keys(), mend)
            what = f"{the_text} {use.say.text} is missing in {_listed(missing)}."
            yield Fault(what=what, mend=mend, where=parsed.path, line=use.line)
        wanted: dict[str, list[str]] = {}
        for language, sentence in found.items():
            if sentence is None:
                continue
            try:
                names = _variables_of(sentence)
            except TemplateError as error:
                if (sentence.where, sentence.line) not in malformed:
                    malformed.add((sentence.where, sentence.line))
                    problem = error.faults[0]
                    yield Fault(what=problem.what, mend=problem.mend, where=sentence.where, line=sentence.line)
                continue
            yield from _unreadable(parsed, use, language, sentence)
            for name in names:
                wanted.setdefault(name, [])
                if name not in known and language not in use.say.values.get(name, {}):
                    wanted[name].append(language)
        yield from _unmatched(parsed, use, wanted, complete=len(missing) < len(found))


def _unmatched(parsed: Parsed, use: Use, wanted: dict[str, list[str]], *, complete: bool) -> Iterator[Fault]:
    """Variables that the text wants and nobody gives, and values that are given and no language wants."""
    the_text = f"In {use.node}: the text" if use.node else "The text"
    for name, lacking in wanted.items():
        if lacking:
            what = f"{the_text} {use.say.text} wants {{{name}}}, which nothing gives in {_listed(lacking)}."
            mend = did_you_mean(
                name, tuple(parsed.flow.variables), "Give it under `with`, or name it with an example under variables."
            )
            if name in use.say.values:
                mend = f"Give it under `with` in {_listed(lacking)} too."
            yield Fault(what=what, mend=mend, where=parsed.path, line=use.line)
    for name in use.say.values:
        if complete and name not in wanted:
            mend = did_you_mean(name, wanted, "Remove it.")
            what = f"{the_text} {use.say.text} does not want {name}."
            yield Fault(what=what, mend=mend, where=parsed.path, line=use.line)


def _unreadable(parsed: Parsed, use: Use, language: Language, sentence: Sentence) -> Iterator[Fault]:
    """A constant of the flow that can't be read as the text's type: callers would hear the fallback, or nothing."""
    constants = use.say.values_in(language, {})
    for variable in variables(sentence.text):
        if variable.name in constants:
            try:
                read(language, f"{{{variable.name}:{variable.kind} {variable.argument}}}", constants)
            except ReadingError as error:
                what = f"In {use.node}: {variable.name} can't be read in {language}: {error.faults[0].what}"
                yield Fault(what=what, mend=error.faults[0].mend, where=parsed.path, line=use.line)


def _variables_of(sentence: Sentence) -> list[str]:
    found = (*variables(sentence.text), *variables(sentence.fallback or ""))
    return list(dict.fromkeys(variable.name for variable in found))


def _known_variables(parsed: Parsed) -> set[str]:
    """Variables of the call, and those that gathers and keys of the flow set."""
    known = {*CALL_VARIABLES, *parsed.flow.variables}
    return known.union(*(node.sets() for node in parsed.flow.nodes.values()))


def _listed(languages: Sequence[str]) -> str:
    return languages[0] if len(languages) == 1 else f"{', '.join(languages[:-1])} and {languages[-1]}"
