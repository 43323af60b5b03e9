"""Read what a flow says: texts with their values, and what is said about silence or a wrong key."""

from __future__ import annotations

import yaml

from ivr.flow.fields import TEXT_KEY, VARIABLE, FieldReader, Use, is_null
from ivr.flow.grammar import GOODBYE, POLICY_FIELDS, REPEAT, TEXT_FIELDS
from ivr.flow.policy import Policy
from ivr.flow.say import Say
from ivr.flow.source import line_of
from prompts.languages import LANGUAGES, Language


class TextReader(FieldReader):
    def say(self, at: yaml.Node, what: str) -> tuple[Say, ...]:
        if is_null(at):
            self.fault(at, f"{what} is empty.", "Name a text, or leave the field out.")
            return ()
        items = at.value if isinstance(at, yaml.SequenceNode) else [at]
        self.spend(len(items))
        return tuple(say for item in items if (say := self.one_say(item)) is not None)

    def one_say(self, at: yaml.Node) -> Say | None:
        key_node, constants = at, dict[str, dict[Language, str]]()
        if isinstance(at, yaml.MappingNode):
            entries = self.known_entries(at, TEXT_FIELDS, "a text", "Write: {text: KEY, with: {NAME: VALUE}}.")
            if "text" not in entries:
                self.fault(at, "a text lacks its key.", "Write: {text: KEY, with: {NAME: VALUE}}.")
                return None
            key_node = entries["text"][1]
            if "with" in entries:
                constants = self.constants(entries["with"][1])
        key = self.name(key_node, "a text", TEXT_KEY)
        if key is None:
            return None
        say = Say(text=key, values=constants)
        self.uses.append(Use(node=self.node, say=say, line=line_of(key_node)))
        return say

    def constants(self, at: yaml.Node) -> dict[str, dict[Language, str]]:
        constants: dict[str, dict[Language, str]] = {}
        for name, (key, value) in self.entries(at, "with", "Write each as: NAME: VALUE.").items():
            if not VARIABLE.fullmatch(name):
                self.fault(key, f"{name!r} is no name of a variable.", "Use letters, digits and underscore.")
            if isinstance(value, yaml.ScalarNode):
                constants[name] = dict.fromkeys(LANGUAGES, "" if is_null(value) else value.value)
                continue
            constants[name] = {}
            for language, (language_node, text) in self.entries(value, name, "Write: {ru: VALUE, en: VALUE}.").items():
                if language not in LANGUAGES:
                    self.fault(language_node, f"{language!r} is no language.", f"Use {', '.join(LANGUAGES)}.")
                elif not isinstance(text, yaml.ScalarNode) or is_null(text):
                    self.fault(text, f"{name} must be one value in {language}.", "Write a text or a number.")
                else:
                    constants[name][language] = text.value
        return constants

    def policy(self, at: yaml.Node | None, what: str, text: str, line: int) -> Policy:
        fields = {} if at is None else self.fields(at, POLICY_FIELDS, what)
        if "say" in fields:
            say = self.say(fields["say"], "say")
        else:
            say = (Say(text=text),)
            self.uses.append(Use(node=self.node, say=say[0], line=line if at is None else line_of(at)))
        return Policy(
            repeat=self.count(fields.get("repeat"), "repeat", REPEAT, POLICY_FIELDS),
            say=say,
            then=self.target(fields["then"], f"{what}.then") if "then" in fields else GOODBYE,
        )
