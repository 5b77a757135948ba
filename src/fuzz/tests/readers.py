"""What Python's tarfile and the system's tar see in each archive whose path comes on standard input, as a line of JSON.

A reader that refuses an archive, or says that something is wrong with it, has null there. Names are in hex.
"""
import hashlib, json, os, re, subprocess, sys, tarfile

QUIET = dict(os.environ, LC_ALL="C", TZ="UTC")
LINE = re.compile(rb"(\S)\S{9} \S+/\S+ +(\S+) -?\d+-\d\d-\d\d \d\d:\d\d (.*)")
PLAIN = {b"n": b"\n", b"t": b"\t", b"r": b"\r", b"a": b"\a", b"b": b"\b", b"f": b"\f", b"v": b"\v"}


def by_python(path):
    """Its files, and whether there are only entries of the kinds that it knows."""
    try:
        with tarfile.open(path, "r:") as archive:
            entries = list(archive)
            # It passes over a header that it cannot read, and all that follows, without a word.
            archive.fileobj.seek(archive.offset)
            if archive.fileobj.read(512).strip(b"\0"):
                return None, False
    except Exception:
        return None, False
    # It takes the slash off the end of a path in a PAX record, where the entry is a file for it.
    is_folder = lambda entry: entry.pax_headers.get("path", entry.name).endswith("/")
    files = [entry for entry in entries if entry.isreg() and not is_folder(entry)]
    seen = [[os.fsencode(file.name).hex(), file.offset_data, file.size] for file in files]
    return seen, all(entry.type in tarfile.SUPPORTED_TYPES for entry in entries)


def unescaped(name):
    byte = lambda found: bytes([int(found[1], 8) & 255]) if found[1].isdigit() else PLAIN.get(found[1], found[1])
    return re.sub(rb"\\([0-7]{3}|.)", byte, name, flags=re.S)


def by_tar(path, known):
    options = ["--numeric-owner", "--quoting-style=escape"]
    ran = subprocess.run(["tar", "-xvvO", *options, "-f", path], capture_output=True, env=QUIET)
    # A warning about an end that is not marked is no fault of an entry.
    if ran.returncode != 0:
        return None
    lines = [LINE.fullmatch(line) for line in ran.stderr.splitlines() if not line.startswith(b"tar: ")]
    if not all(lines) or any(line[1] not in b"-dlhcbpC" for line in lines):
        return None
    files = [line for line in lines if line[1] in b"-C" and not line[3].endswith(b"/")]
    seen = [[unescaped(file[3]).hex(), int(file[2])] for file in files]
    return {"files": seen, "content": hashlib.sha256(ran.stdout).hexdigest() if known else None}


for line in sys.stdin:
    path = line.rstrip("\n")
    files, known = by_python(path)
    print(json.dumps({"python": files, "tar": by_tar(path, known)}))
