#!/bin/sh
# Installs idpbuilder-push for this user: the program, the names that kubectl and docker look for, the manual page
# and the shells' completions. Needs no root. Nothing is installed whose SHA-256 is not the one in SHA256SUMS.
set -eu

releases=https://github.com/cnoe-io/idpbuilder-push/releases
program=idpbuilder-push
links='kubectl-idpbuilder_push kubectl_complete-idpbuilder_push docker-credential-idpbuilder'

usage() {
  cat <<'TEXT'
usage: install.sh [--prefix DIR] [--version vX.Y.Z | --archive FILE]
       install.sh --uninstall [--prefix DIR]

  --prefix DIR       bin/ and share/ are below it [default: ~/.local]
  --version vX.Y.Z   a release other than the newest
  --archive FILE     an archive that is here already, with its SHA256SUMS beside it
  --uninstall        takes away what was installed

IDPBUILDER_PUSH_URL is where archives and SHA256SUMS are, in place of a release's own address:
https://, file://, or http:// on this machine.
TEXT
}

# What of the archive goes where, with which mode.
files() {
  cat <<'TEXT'
755 idpbuilder-push bin/idpbuilder-push
644 idpbuilder-push.1 share/man/man1/idpbuilder-push.1
644 idpbuilder-push.bash share/bash-completion/completions/idpbuilder-push
644 idpbuilder-push.zsh share/zsh/site-functions/_idpbuilder-push
644 idpbuilder-push.fish share/fish/vendor_completions.d/idpbuilder-push.fish
644 LICENSE share/doc/idpbuilder-push/LICENSE
644 README.md share/doc/idpbuilder-push/README.md
644 THIRD-PARTY.txt share/doc/idpbuilder-push/THIRD-PARTY.txt
TEXT
}

fail() {
  echo "install.sh: $*" >&2
  exit 1
}

# As names of archives have it.
platform() {
  system=$(uname -s) processor=$(uname -m)
  case $system in
    Linux) system=linux ;;
    Darwin) system=darwin ;;
    *) fail "no archive for $system; Windows takes the zip of $releases" ;;
  esac
  case $processor in
    x86_64 | amd64) processor=amd64 ;;
    aarch64 | arm64) processor=arm64 ;;
    *) fail "no archive for $processor; \`cargo install\` builds from source" ;;
  esac
  echo "${system}_$processor"
}

# fetch URL FILE
fetch() {
  case $1 in
    https://*) protocol='=https' ;;
    file:///* | http://127.0.0.1:* | http://localhost:*) protocol='=http,file' ;;
    *) fail "refused: $1 is neither https nor on this machine" ;;
  esac
  if command -v curl >/dev/null; then
    curl --fail --silent --show-error --location --proto "$protocol" --proto-redir "$protocol" --output "$2" "$1" ||
      fail "could not fetch $1"
  elif command -v wget >/dev/null; then
    wget -q -O "$2" "$1" || fail "could not fetch $1"
  else
    fail 'curl or wget is needed'
  fi
}

sum_of() {
  if command -v sha256sum >/dev/null; then
    sha256sum <"$1"
  elif command -v shasum >/dev/null; then
    shasum -a 256 <"$1"
  else
    openssl dgst -sha256 -r <"$1"
  fi | cut -d ' ' -f 1
}

# The one line of SHA256SUMS whose file ends so: its sum and its name.
listed() {
  awk -v end="$2" '
    { name = $2; sub(/^\*/, "", name) }
    substr(name, length(name) - length(end) + 1) == end && name !~ /[^A-Za-z0-9._+-]/ { print $1, name; count++ }
    END { exit count != 1 }' "$1"
}

# Leaves the archive at $work/archive, checked.
get_archive() {
  if [ -n "$archive" ]; then
    sums=$(dirname "$archive")/SHA256SUMS
    [ -f "$archive" ] || fail "no such file: $archive"
    [ -f "$sums" ] || fail "no SHA256SUMS beside $archive"
    found=$(listed "$sums" "$(basename "$archive")") || fail "$sums does not name $(basename "$archive")"
    cp "$archive" "$work/archive"
  else
    here=$(platform)
    fetch "$url/SHA256SUMS" "$work/SHA256SUMS"
    found=$(listed "$work/SHA256SUMS" "_$here.tar.gz") || fail "no archive for $here at $url"
    fetch "$url/${found#* }" "$work/archive"
  fi
  [ "$(sum_of "$work/archive")" = "${found%% *}" ] || fail "${found#* } is damaged: its SHA-256 is not ${found%% *}"
}

unpack() {
  mkdir "$work/files"
  if tar -tzf "$work/archive" | grep -q /; then fail 'the archive has folders in it'; fi
  tar -xzf "$work/archive" -C "$work/files"
  files | while read -r _ name _; do
    if [ ! -f "$work/files/$name" ] || [ -h "$work/files/$name" ]; then fail "the archive has no file $name"; fi
  done
  version=$("$work/files/$program" version) || fail "the program does not run on this machine"
}

# Each file is replaced as a whole, so that one that is in use goes on.
place() {
  files | while read -r mode name target; do
    mkdir -p "$prefix/${target%/*}"
    chmod "$mode" "$work/files/$name"
    mv -f "$work/files/$name" "$prefix/$target"
  done
  for link in $links; do
    if { [ -e "$prefix/bin/$link" ] || [ -h "$prefix/bin/$link" ]; } && ! is_ours "$prefix/bin/$link"; then
      echo "left alone: $prefix/bin/$link is not of this installation"
    else
      ln -sf "$program" "$prefix/bin/$link"
    fi
  done
}

is_ours() {
  [ -h "$1" ] && [ "$(readlink "$1")" = "$program" ]
}

install() {
  mkdir -p "$prefix"
  # On the file system of the target, where programs may run.
  work=$(mktemp -d "$prefix/.idpbuilder-push.XXXXXX")
  trap 'rm -rf "$work"' EXIT
  trap 'exit 1' HUP INT TERM
  get_archive
  unpack
  place
  echo "installed $version in $prefix/bin"
  case :$PATH: in
    *:"$prefix/bin":*) echo 'try it: idpbuilder-push doctor, or kubectl idpbuilder-push doctor' ;;
    *) echo "add $prefix/bin to PATH, or neither the shell nor kubectl finds it" ;;
  esac
}

uninstall() {
  files | while read -r _ _ target; do rm -f "$prefix/$target"; done
  for link in $links; do
    if is_ours "$prefix/bin/$link"; then rm -f "$prefix/bin/$link"; fi
  done
  rmdir "$prefix/share/doc/$program" 2>/dev/null || true
  echo "removed $program from $prefix"
}

# Called at the end of the file, so that a part of it, as a broken download leaves it, does nothing.
main() {
  prefix=${HOME:?}/.local archive='' url='' action=install
  while [ $# != 0 ]; do
    case $1 in
      --prefix | --version | --archive)
        [ -n "${2:-}" ] || fail "$1 needs a value"
        case $1 in
          --prefix) prefix=$2 ;;
          --version) url=$releases/download/$2 ;;
          --archive) archive=$2 ;;
        esac
        shift
        ;;
      --uninstall) action=uninstall ;;
      --help) usage; return ;;
      *) usage >&2; fail "unknown: $1" ;;
    esac
    shift
  done
  url=${IDPBUILDER_PUSH_URL:-${url:-$releases/latest/download}}
  url=${url%/}
  case $prefix in /*) ;; *) prefix=$PWD/$prefix ;; esac
  "$action"
}

main "$@"
