# idpbuilder with plugins, as a function for fish: this file goes into ~/.config/fish/functions.
#
# It does what the program `idpbuilder` beside it does, whose rules are in docs/idpbuilder-dispatch.md.

# Prints the path of the plugin of that name. Where the real idpbuilder has such a command, or there is no such plugin,
# it fails.
function __idpbuilder_plugin --argument-names name
    string match --quiet --regex -- '^[A-Za-z0-9][A-Za-z0-9_-]*$' "$name"; or return
    contains -- $name completion create delete get help version; and return 1
    set --local files (command --search --all idpbuilder-$name | string match '/*'); or return
    if command --query idpbuilder
        for line in (command idpbuilder __complete $name </dev/null 2>/dev/null)
            string match --quiet --regex -- "^$name(?![A-Za-z0-9_-])" $line; and return 1
        end
    end
    echo $files[1]
end

function idpbuilder --description 'idpbuilder and its plugins'
    # What idpbuilder's own flags before the name say; then `words` begins with the name.
    set --local words $argv
    set --local level
    set --local colour
    while set --query words[1]
        switch $words[1]
            case -l --log-level
                set --query words[2]; or break
                set level $words[2]
                set --erase words[1]
            case '--log-level=*'
                set level (string replace -- --log-level= '' $words[1])
            case '-l*'
                set level (string replace --regex -- '^-l=?' '' $words[1])
            case --color --color=true
                set colour always
            case --color=false
                set colour never
            case '*'
                break
        end
        set --erase words[1]
    end

    set --local plugin
    if set plugin (__idpbuilder_plugin "$words[1]")
        set --erase words[1]
    else if test "$words[1]" = help -a (count $words) -eq 2; and set plugin (__idpbuilder_plugin "$words[2]")
        set words --help
    else if test "$argv[1]" = __complete -a (count $words) -gt 2; and set plugin (__idpbuilder_plugin "$words[2]")
        set --erase words[2]
    else
        command idpbuilder $argv
        return
    end

    set --local environment IDPBUILDER_PLUGIN_CALLER=idpbuilder
    test -n "$level"; and set --append environment IDPBUILDER_LOG_LEVEL=$level
    switch "$colour"
        case always
            set --prepend environment -u NO_COLOR
            set --append environment CLICOLOR_FORCE=1
        case never
            set --append environment NO_COLOR=1
    end
    command env $environment $plugin $words
end
