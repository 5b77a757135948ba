# idpbuilder with plugins, as a function for bash, zsh, dash and other shells of POSIX: source this file in ~/.bashrc,
# ~/.zshrc or ~/.profile.
#
# It does what the program `idpbuilder` beside it does; a test holds the two together. fish has idpbuilder.fish.

unalias idpbuilder 2>/dev/null || :

# In a subshell, so that no name is left behind, and what runs in the end takes its place. A script that sends signals
# to `$!` uses the program: bash has a process of its own around a function in the background.
idpbuilder() (
  if [ -n "${ZSH_VERSION-}" ]; then emulate sh; fi
  self=''

  # Sets `found` to the first program of that name in PATH; one that stands before this file is left out. Folders that
  # depend on where one stands are passed over.
  dispatch_search() {
    found='' passed='' folders=$PATH:
    while [ -n "$folders" ]; do
      file=${folders%%:*}/$1 folders=${folders#*:}
      if [ -n "$self" ] && [ "$file" -ef "$self" ]; then
        if [ -z "$passed" ]; then found='' passed=1; fi
      elif [ -z "$found" ] && [ "${file#/}" != "$file" ] && [ -f "$file" ] && [ -x "$file" ]; then
        found=$file
      fi
    done
    [ -n "$found" ]
  }

  # Sets `name` and `after` to the command's name and the word behind it, `before` to the number of words that stand
  # before it, and `level` and `colour` to what idpbuilder's own flags among those say.
  dispatch_read() {
    before=0 name='' after='' level='' colour=''
    while [ "$#" -gt 0 ]; do
      case $1 in
        -l | --log-level)
          if [ "$#" -lt 2 ]; then return; fi
          level=$2 before=$((before + 1))
          shift
          ;;
        --log-level=*) level=${1#*=} ;;
        -l?*) level=${1#-l} level=${level#=} ;;
        --color | --color=true) colour=always ;;
        --color=false) colour=never ;;
        -*) return ;;
        *)
          name=$1 after=${2-}
          return
          ;;
      esac
      before=$((before + 1))
      shift
    done
  }

  # Whether the real one has this command, which it is asked in cobra's protocol: one that it gets some day goes before a
  # plugin. What is no name of a plugin is left to it as well.
  dispatch_is_command() {
    case $1 in
      '' | [!A-Za-z0-9]* | *[!A-Za-z0-9_-]* | completion | create | delete | get | help | version) return 0 ;;
    esac
    dispatch_search idpbuilder || return
    newline='
'
    answer=$newline$("$found" __complete "$1" </dev/null 2>/dev/null)$newline
    case $answer in
      *"$newline$1"[!A-Za-z0-9_-]*) return 0 ;;
    esac
    return 1
  }

  # Sets `plugin` to the program of that name, if there is one.
  dispatch_plugin() {
    plugin=''
    if ! dispatch_is_command "$1" && dispatch_search "idpbuilder-$1"; then plugin=$found; fi
    [ -n "$plugin" ]
  }

  dispatch_read "$@"
  if dispatch_plugin "$name"; then
    shift "$((before + 1))"
  elif [ "$name" = help ] && [ "$#" -eq "$((before + 2))" ] && dispatch_plugin "$after"; then
    set -- --help
  elif [ "$name" = __complete ] && [ "$before" -eq 0 ] && [ "$#" -gt 2 ] && dispatch_plugin "$after"; then
    shift 2
    set -- __complete "$@"
  fi

  if [ -n "$plugin" ]; then
    export IDPBUILDER_PLUGIN_CALLER=idpbuilder
    if [ -n "$level" ]; then export IDPBUILDER_LOG_LEVEL="$level"; fi
    case $colour in
      always)
        unset NO_COLOR
        export CLICOLOR_FORCE=1
        ;;
      never) export NO_COLOR=1 ;;
    esac
    exec "$plugin" "$@"
  fi
  if dispatch_search idpbuilder; then exec "$found" "$@"; fi

  command idpbuilder "$@"
)
