# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree goes through pack.yml and unpack.yml, in parts and signed, and as a delta after receipt.yml."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

from ansible_collections.seahub.offline.plugins.module_utils.trees._tree import Tree
from tests.project import ROOT
from tests.unit import playbook
from tests.unit.ssh_keys import allow, make_key
from tests.unit.trees import files, layer_bytes, make_bundle, make_tree


def run(tmp_path: Path, name: str, **variables: object) -> subprocess.CompletedProcess[str]:
    inventory = tmp_path / "inventory"
    inventory.write_text("[registry]\nhost1\n")
    path = ROOT / "playbooks" / name
    given = json.dumps({"ansible_become": False, **variables}, default=str)
    return playbook.run(tmp_path / "home", path, "-i", str(inventory), "-e", given)


def test_a_signed_bundle_in_parts(tmp_path: Path) -> None:
    make_tree(tmp_path / "tree", {"library/mysql:8": [layer_bytes(1, 150_000)]})
    key, medium = make_key(tmp_path / "key"), tmp_path / "medium"
    medium.mkdir()
    pack = {
        "seahub_tree": tmp_path / "tree",
        "seahub_bundle": medium / "bundle.tar",
        "seahub_part_size": "100kB",
        "seahub_sign_key": key,
    }
    packed = run(tmp_path, "pack.yml", **pack)
    assert packed.returncode == 0, packed.stdout + packed.stderr
    assert len(list(medium.glob("bundle.tar.part-*-of-002"))) == 2
    assert " changed=0 " in run(tmp_path, "pack.yml", **pack).stdout

    other = allow(tmp_path / "others", somebody=make_key(tmp_path / "other"))
    unpack = {"registry_bundle": medium, "registry_dir": tmp_path / "run"}
    refused = run(tmp_path, "unpack.yml", **unpack, registry_allowed_signers=other)
    assert refused.returncode != 0
    assert "is no signature of this bundle" in refused.stdout
    assert not (tmp_path / "run").exists()

    signers = allow(tmp_path / "signers", build=key)
    unpacked = run(tmp_path, "unpack.yml", **unpack, registry_allowed_signers=signers)
    assert unpacked.returncode == 0, unpacked.stdout + unpacked.stderr
    assert files(tmp_path / "run" / "tree") == files(tmp_path / "tree")
    assert " changed=0 " in run(tmp_path, "unpack.yml", **unpack, registry_allowed_signers=signers).stdout


def test_several_bundles_become_one_tree(tmp_path: Path) -> None:
    app, tool = [layer_bytes(1, 3000)], [layer_bytes(1, 3000), layer_bytes(2, 3000)]
    first, second, both, differs = (
        make_tree(tmp_path / f"tree{number}", images)
        for number, images in enumerate(
            [{"team/app:1": app}, {"team/tool:2": tool}, {"team/app:1": app, "team/tool:2": tool}, {"team/app:1": tool}]
        )
    )
    bundles = [make_bundle(tree, tmp_path / f"{number}.tar") for number, tree in enumerate([first, second, differs])]
    unpacked = run(tmp_path, "unpack.yml", registry_bundle=bundles[:2], registry_dir=tmp_path / "run")
    assert unpacked.returncode == 0, unpacked.stdout + unpacked.stderr
    assert files(tmp_path / "run" / "tree") == files(Path(both.root))

    refused = run(tmp_path, "unpack.yml", registry_bundle=bundles[1:], registry_dir=tmp_path / "run")
    assert refused.returncode != 0
    assert "team/app:1" in refused.stdout
    assert files(tmp_path / "run" / "tree") == files(Path(both.root))
    won = run(
        tmp_path, "unpack.yml", registry_bundle=bundles, registry_dir=tmp_path / "run", registry_conflict="replace"
    )
    assert won.returncode == 0, won.stdout + won.stderr
    assert Tree(str(tmp_path / "run" / "tree")).tag("team/app", "1") == differs.tag("team/app", "1")


def test_a_receipt_goes_back_and_a_delta_comes(tmp_path: Path) -> None:
    base, new = layer_bytes(1, 150_000), layer_bytes(2, 50_000)
    make_tree(tmp_path / "run" / "tree", {"library/mysql:8": [base]})
    make_tree(tmp_path / "tree", {"library/mysql:8": [base], "team/app:1": [base, new]})
    there = {"registry_dir": tmp_path / "run", "seahub_receipt": tmp_path / "oslo.receipt"}
    written = run(tmp_path, "receipt.yml", **there)
    assert written.returncode == 0, written.stdout + written.stderr
    assert " changed=0 " in run(tmp_path, "receipt.yml", **there).stdout

    delta = tmp_path / "delta.tar"
    packed = run(
        tmp_path,
        "pack.yml",
        seahub_tree=tmp_path / "tree",
        seahub_bundle=delta,
        seahub_since=[str(tmp_path / "oslo.receipt")],
    )
    assert packed.returncode == 0, packed.stdout + packed.stderr
    assert len(new) < delta.stat().st_size < len(new) + 30_000

    refused = run(tmp_path, "unpack.yml", registry_bundle=delta, registry_dir=tmp_path / "other")
    assert "It was packed since host1 (sha256:" in refused.stdout
    assert not (tmp_path / "other").exists()
    unpacked = run(tmp_path, "unpack.yml", registry_bundle=delta, registry_dir=tmp_path / "run")
    assert unpacked.returncode == 0, unpacked.stdout + unpacked.stderr
    assert files(tmp_path / "run" / "tree") == files(tmp_path / "tree")
