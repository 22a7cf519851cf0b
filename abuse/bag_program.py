"""What lies in each bag besides the evidence: how it is verified, in words and as a program of one file."""

from __future__ import annotations

import re
from pathlib import Path

from abuse import standalone_bag, standalone_evidence, standalone_proofs

_FUTURE = "from __future__ import annotations\n"
_IMPORT = re.compile(r"^from abuse\.standalone_(bag|proofs) import (\([^)]*\)|.*)\n", re.MULTILINE)
README = """\
This directory is evidence, packed by Flowkeep as a BagIt 1.0 bag (RFC 8493). It holds personal data.

  data/                  the evidence itself
  bag-info.txt           what it is about, and who packed it
  manifest-sha256.txt    the SHA-256 of each file in data/
  ledger-proof.json      that it was put on record, and when, in the packer's ledger
  key-NAME.json          the packer's public keys, each signed by the one before
  tagmanifest-sha256.txt the SHA-256 of each file that is not in data/
  signature.txt          the packer's signature over tagmanifest-sha256.txt
  timestamp.tsr          when another party saw that signature, if one was asked (RFC 3161)
  verify_evidence.py     a program that verifies all of this

To verify it you need Python 3.8 or later, the program openssl 3.0 or later, and the packer's public key or its SHA-256,
which you ask for by another way than the one that this came by: whoever forges a bag puts a key of his own into it. For
the same reason take verify_evidence.py from elsewhere, or read it: it says at its beginning what all files hold.

    python3 -I verify_evidence.py DIRECTORY --key KEY

By hand, in this directory, with NAME as signature.txt says it:

    sha256sum --strict -c manifest-sha256.txt tagmanifest-sha256.txt
    WORK=$(mktemp -d)
    NAME=$(sed -n 's/^key: //p' signature.txt)
    sed 's/.*"public":"//; s/".*//; s/\\\\n/\\n/g' "key-$NAME.json" > "$WORK/key.pem"
    sed -n 's/^signature: //p' signature.txt | xxd -r -p > "$WORK/signature"
    openssl pkeyutl -verify -rawin -pubin -inkey "$WORK/key.pem" -sigfile "$WORK/signature" -in tagmanifest-sha256.txt

With a time stamp, and its authority's certificates in the file AUTHORITY (and -attime if they have expired since):

    cat tagmanifest-sha256.txt "$WORK/signature" > "$WORK/stamped"
    openssl ts -verify -data "$WORK/stamped" -in timestamp.tsr -CAfile "$AUTHORITY"
"""


def program() -> bytes:
    """Return the verifier: `standalone_evidence`, with the two modules that it imports in the imports' place."""
    modules = (standalone_proofs, standalone_bag, standalone_evidence)
    proofs, bag, evidence = (Path(str(module.__file__)).read_text(encoding="utf-8") for module in modules)
    start, future, rest = evidence.partition(_FUTURE)
    parts = [_IMPORT.sub("", text.partition(_FUTURE)[2]) for text in (proofs, bag)]
    return (start + future + "".join(parts) + _IMPORT.sub("", rest)).encode()
