# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""In which order a host tries the registry hosts."""

from __future__ import annotations

from collections import Counter

import pytest

from ansible_collections.seahub.offline.plugins.filter.nearest_first import nearest_first

ADDRESSES = ["10.0.0.1", "10.0.0.2", "10.0.0.3"]


@pytest.mark.parametrize(
    ("own", "expected"),
    [
        pytest.param([], ADDRESSES, id="none of them"),
        pytest.param(["10.0.0.9"], ADDRESSES, id="another host"),
        pytest.param(["172.17.0.1", "10.0.0.3"], ["10.0.0.3", "10.0.0.1", "10.0.0.2"], id="one of them"),
        pytest.param(["run3"], ADDRESSES, id="no address"),
    ],
)
def test_the_own_address_comes_first_and_the_others_keep_their_order(own: list[str], expected: list[str]) -> None:
    assert nearest_first(ADDRESSES, own) == expected


def test_an_address_may_be_written_in_two_ways() -> None:
    assert nearest_first(["10.0.0.1", "fd00::2"], ["fd00:0:0::2"]) == ["fd00::2", "10.0.0.1"]


def test_hosts_begin_at_different_places_and_each_always_at_the_same() -> None:
    orders = {name: nearest_first(ADDRESSES, spread=name) for name in (f"host{number}" for number in range(300))}
    turned = [ADDRESSES[start:] + ADDRESSES[:start] for start in range(3)]
    firsts = Counter(order[0] for order in orders.values())
    assert all(order in turned for order in orders.values())
    assert min(firsts.values()) > 60
    assert orders == {name: nearest_first(ADDRESSES, spread=name) for name in orders}


def test_the_own_address_comes_first_wherever_the_order_begins() -> None:
    assert {nearest_first(ADDRESSES, ["10.0.0.2"], str(n))[0] for n in range(20)} == {"10.0.0.2"}


@pytest.mark.parametrize("addresses", [[], ["10.0.0.1"]])
def test_one_address_or_none_stays_what_it_is(addresses: list[str]) -> None:
    assert nearest_first(addresses, ["10.0.0.1"], "host") == addresses
