# Copyright (c) 2026, seahub.offline contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A storage that speaks S3 over TLS, with a CA of its own, and takes only requests that are signed with its key.

https://docs.getmoto.org/en/latest/docs/server_mode.html
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from ansible_collections.seahub.offline.plugins.module_utils.serving._certificate import Files
from tests.bench.servers import free_port, wait_for_port
from tests.unit.https_server import make_certificate

REGION = "us-east-1"
BUCKET = "images"
_USER = "registry"
# The calls by which a user and its key are made; from then on signatures are verified.
# https://docs.getmoto.org/en/latest/docs/iam.html
_UNSIGNED_CALLS = 3
_MAY_USE_IT = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}


@dataclass(frozen=True)
class Storage:
    """Where it is, and the key that opens it."""

    url: str
    ca_certificate: str
    log: Path
    access_key: str
    secret_key: str = field(repr=False)

    @property
    def client(self) -> Any:
        """A client that may do everything with the bucket."""
        return _client("s3", self.url, self.ca_certificate, self.access_key, self.secret_key)

    def names(self) -> set[str]:
        """What lies in the bucket."""
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
        return {item["Key"] for page in pages for item in page.get("Contents", [])}

    def requests(self) -> str:
        """What it has been asked, line by line."""
        return self.log.read_text()


@contextmanager
def serve(folder: Path) -> Iterator[Storage]:
    """Serve an empty bucket on the loopback address."""
    certificate = make_certificate(folder / "pki", "s3.site.example", "127.0.0.1")
    port = free_port()
    log = folder / "s3.log"
    with log.open("wb") as output, _process(certificate, port, folder, output) as process:
        try:
            wait_for_port(process, "127.0.0.1", port)
            yield _prepared(f"https://127.0.0.1:{port}", certificate.ca_certificate, log)
        finally:
            process.terminate()


def _process(certificate: Files, port: int, home: Path, output: Any) -> subprocess.Popen[bytes]:
    program = Path(sys.executable).with_name("moto_server")
    pair = ("--ssl-cert", certificate.certificate, "--ssl-key", certificate.private_key)
    # Nothing of whoever runs the tests: there may be keys of a real storage.
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "INITIAL_NO_AUTH_ACTION_COUNT": str(_UNSIGNED_CALLS)}
    return subprocess.Popen(
        [program, "--host", "127.0.0.1", "--port", str(port), *pair],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )


def _prepared(url: str, ca_certificate: str, log: Path) -> Storage:
    iam = _client("iam", url, ca_certificate, "none", "none")
    iam.create_user(UserName=_USER)
    iam.put_user_policy(UserName=_USER, PolicyName="all", PolicyDocument=json.dumps(_MAY_USE_IT))
    key = iam.create_access_key(UserName=_USER)["AccessKey"]
    storage = Storage(url, ca_certificate, log, key["AccessKeyId"], key["SecretAccessKey"])
    storage.client.create_bucket(Bucket=BUCKET)
    return storage


def _client(service: str, url: str, ca_certificate: str, access_key: str, secret_key: str) -> Any:
    return boto3.client(
        service,
        endpoint_url=url,
        region_name=REGION,
        aws_access_key_id=access_key,
        aws_secret_access_key=secret_key,
        verify=ca_certificate,
        config=Config(s3={"addressing_style": "path"}, proxies={}),
    )
