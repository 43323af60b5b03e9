"""Whichever way a number comes in, it is the same person: as a contact, on a list, as a caller, at the keyboard."""

from __future__ import annotations

from pathlib import Path

import pytest

from people import do_not_call
from people.contacts import Contact, open_contacts
from people.numbers import normal_form
from people.store.scope import Scope
from tests.databases import a_database

#: Ways in which people, spreadsheets and networks write numbers of one shop's customers, in Russia.
WRITTEN = {
    "+79162914177": (
        *("89162914177", "79162914177", "+79162914177", "9162914177", "0079162914177", "81079162914177"),
        *("8 (916) 291-41-77", "+7 916 291 41 77", "8\u00a0916\u00a0291\u00a041\u00a077", "8–916–291–41–77"),
        *("tel:+7-916-291-41-77", "79162914177.0", " 8-10-7-916-291-41-77 ", "'89162914177"),
    ),
    "+380501234567": ("+380 50 123-45-67", "380501234567", "810380501234567", "00380 50 123 45 67"),
    "+77011234567": ("+7 701 123-45-67", "8 701 1234567", "0077011234567"),
    "+447400123456": ("+44 7400 123456", "0044 7400 123456", "+44\u00a0(0)7400\u00a0123456"),
    "+14155552671": ("+1 (415) 555-2671", "001 415 555 2671", "14155552671"),
}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1251"])
@pytest.mark.parametrize("number", WRITTEN)
async def test_a_contact_a_list_and_a_caller_are_one_person(tmp_path: Path, encoding: str, number: str) -> None:
    contacts, numbers = tmp_path / "contacts.csv", tmp_path / "never.txt"
    async with a_database(tmp_path) as engine:
        for written in WRITTEN[number]:
            contacts.write_text(f"имя;телефон\nАнна;{written}\n", encoding)
            (contact,) = open_contacts(contacts, region="RU", language="ru").rows()
            assert isinstance(contact, Contact), (written, contact)
            assert contact.phones == (number,), written

            numbers.write_text(f"телефон\n{written}\n", encoding)
            imported = await do_not_call.import_file(Scope(engine, "shop"), numbers, region="RU", now_ms=1)
            assert imported.added == 1, (written, imported)
            assert await do_not_call.remove(Scope(engine, "shop"), phone=number), written

            assert normal_form(written, "RU") == number
            assert do_not_call.parse_phone(written, region="RU") == number
