# bash completion for kit(1)

_kit_keys() {
    # The names of the keys that the agent holds; silent where there is no agent.
    kit agent list 2>/dev/null | while read -r name _; do
        [ "$name" = NAME ] || printf '%s\n' "$name"
    done
}

# Complete the last of a list with commas between.
_kit_list() {
    local words=$1 head=
    [[ $cur == *,* ]] && head=${cur%,*},
    COMPREPLY=($(compgen -P "$head" -W "$words" -- "${cur##*,}"))
    compopt -o nospace 2>/dev/null || :
}

_kit_words() {
    COMPREPLY=($(compgen -W "$1" -- "$cur"))
}

_kit_files() {
    local IFS=$'\n'
    COMPREPLY=($(compgen -f -- "$cur"))
    compopt -o filenames 2>/dev/null || :
}

# Serial ports, and files of what came from one.
_kit_source() {
    _kit_files
    local IFS=$'\n'
    COMPREPLY+=($(compgen -W "$(kit eeg ports 2>/dev/null | sed -n 's,^\(/dev/[^ ]*\).*,\1,p')" -- "$cur"))
}

_kit_purposes="tls-server tls-client ssh csr self-signed ca any tls-digest digest decrypt queue"
_kit_formats="eegreader csv tsv ndjson raw table"
_kit_all="$_kit_formats eegreader-json edf bdf xdf"
_kit_recorded="edf bdf xdf csv tsv ndjson eegreader raw"
_kit_types="rsa-2048 rsa-3072 rsa-4096 rsa-8192 p-256 p-384 p-521 ed25519 ml-dsa-44 ml-dsa-65 ml-dsa-87"

# The value of an option; fails for an option without one.
_kit_value() {
    case $1 in
        --snapshot | --ca | --cert | --config | --link | --log | --make-dummy | --output | -o | --socket | -s | --truth) _kit_files ;;
        --key)
            if [[ $command == "agent seal" || $command == "agent open" ]]; then
                _kit_words "$(_kit_keys)"
            elif [[ $command == "agent start" ]]; then
                [[ $cur == *=* ]] && cur=${cur#*=} && _kit_files
            else
                _kit_files
                COMPREPLY+=($(compgen -W "$(_kit_keys)" -- "$cur"))
            fi
            ;;
        --allow) _kit_list "$_kit_purposes" ;;
        --type) _kit_words "$_kit_types" ;;
        --format | -f | --from | --to)
            case $command in
                "agent handle") _kit_words "kit pkcs11-uri" ;;
                agent*) _kit_words "pem ssh" ;;
                "eeg read") _kit_words "$_kit_formats" ;;
                "eeg record")
                    if [[ $1 == --to ]]; then _kit_words "$_kit_recorded"; else _kit_words "$_kit_all auto"; fi
                    ;;
                "eeg convert")
                    if [[ $1 == --to ]]; then _kit_words "$_kit_formats edf bdf xdf"; else _kit_words "$_kit_all"; fi
                    ;;
                *) _kit_words "$_kit_all auto" ;;
            esac
            ;;
        --protocol)
            if [[ $command == "eeg simulate" ]]; then _kit_words "p2 p3"; else _kit_words "auto p2 p3"; fi
            ;;
        --units) _kit_words "adc uv" ;;
        --sex) _kit_words "F M" ;;
        --channels) if [[ $command == "eeg simulate" ]]; then _kit_words "0 2 4 6"; else _kit_words "all"; fi ;;
        --kind) _kit_words "overview spectrogram spectrum bands all" ;;
        --waveform) _kit_words "auto sine square" ;;
        --mains) _kit_words "50 60 0" ;;
        --sandbox) _kit_words "strict compat off" ;;
        --audit)
            _kit_files
            COMPREPLY+=($(compgen -W "stdout journal" -- "$cur"))
            ;;
        --user) COMPREPLY=($(compgen -u -- "$cur")) ;;
        --speed) _kit_words "max" ;;
        --fault) _kit_words "flip garbage lost lost-bytes restart stall unplug" ;;
        --mode) _kit_words "echo https smtp" ;;
        --starttls) _kit_words "smtp" ;;
        --want) _kit_list "rsa ecdsa ml-dsa" ;;
        --tls) _kit_words "1.2 1.3" ;;
        --servername) COMPREPLY=($(compgen -A hostname -- "$cur")) ;;
        --connections | -n | --count | --interval | --workers | --days | --dns | --host | --ip | --lifetime | --passphrase-fd | --port) ;;
        --name | --round-time | --rounds | --subject | --timeout | -t) ;;
        --band | --baseline | --channel | --hysteresis | --refractory | --when | --window) ;;
        --player | --run) COMPREPLY=($(compgen -c -- "$cur")) ;;
        --baud | --begin | --duration | --end | --fail-above | --fps | --gain | --high-pass | --low-pass | --notch | --seconds | --rate | --seed | --start | --tcp | --uv-per-count | --zero) ;;
        *) return 1 ;;
    esac
}

_kit() {
    local cur=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
    local command= options= word
    COMPREPLY=()

    # bash makes words of their own of "=" in --option=value and name=file.
    if [[ $cur == "=" ]]; then
        cur= previous=${COMP_WORDS[COMP_CWORD - 1]}
        [[ $previous == -* ]] || { _kit_files; return; }
    elif [[ $previous == "=" ]]; then
        previous=${COMP_WORDS[COMP_CWORD - 2]}
        [[ $previous == -* ]] || { _kit_files; return; }
    fi

    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        case $word in
            --)
                # A program and its arguments.
                COMPREPLY=($(compgen -c -f -- "$cur"))
                return
                ;;
            -*) ;;
            *) [[ $command == *" "* ]] || command=${command:+$command }$word ;;
        esac
    done

    if [[ $command == *" "* && $previous == -* ]] && _kit_value "$previous"; then
        return
    fi

    case $command in
        "") options="--version" word="agent eeg tls" ;;
        agent)
            word="add check-config csr generate handle list lock metrics open public recipe reload remove seal selfsign"
            word+=" smtpd start status stop top unlock"
            ;;
        eeg) word="calibrate convert doctor play plot ports read record simulate stats stream view watch" ;;
        tls) word="bench probe run serve" ;;
        "agent add") options="--allow --lifetime --passphrase-fd --socket -s --json" word= ;;
        "agent check-config") options="--json" word=file ;;
        "agent csr") options="--subject --dns --ip --output -o --socket -s" word=key ;;
        "agent generate") options="--type --allow --lifetime --socket -s --json" word= ;;
        "agent handle") options="--any-agent --format --output -o --socket -s" word=key ;;
        "agent list") options="--socket -s --json" word= ;;
        "agent lock" | "agent unlock") options="--passphrase-fd --socket -s" word= ;;
        "agent metrics") options="--output -o --socket -s --json" word= ;;
        "agent open" | "agent seal") options="--key --output -o --socket -s" word=file ;;
        "agent public") options="--format --output -o --socket -s" word=key ;;
        "agent recipe")
            options="--key --cert --pkcs11 --socket -s --json"
            word="nginx postfix haproxy smtpd openssh sshd python openssl curl gnutls java nss"
            ;;
        "agent reload") options="--socket -s --json" word= ;;
        "agent remove") options="--all --socket -s" word=key ;;
        "agent selfsign") options="--subject --dns --ip --days --output -o --socket -s" word=key ;;
        "agent smtpd") options="--check --make-dummy --user --socket -s --json" word= ;;
        "agent start")
            options="--key --allow --lifetime --passphrase-fd --foreground --log --csh -c --socket -s --json"
            options+=" --config --user --workers --sandbox --audit --audit-strict --pkcs11 --wipe-memory" word=
            ;;
        "agent status") options="--socket -s --json" word= ;;
        "agent stop") options="--socket -s" word= ;;
        "agent top") options="--interval -n --count --socket -s --json" word= ;;
        "eeg calibrate")
            options="--peak-to-peak --frequency --waveform --duration --from --protocol --baud --rate --json"
            word=source
            ;;
        "eeg convert")
            options="--from --to --protocol --rate --start --units --uv-per-count --zero --json" word=file
            ;;
        "eeg doctor") options="--repair --protocol --baud --rate --duration --json" word=source ;;
        "eeg play")
            options="--from --speed --loop --stdout --tcp --link --duration --uv-per-count --zero --protocol --rate"
            options+=" --json" word=file
            ;;
        "eeg plot")
            options="--output -o --kind --channels --begin --end --from --uv-per-count --zero --protocol --rate --start"
            word=file
            ;;
        "eeg ports") options="--all --json" word= ;;
        "eeg read")
            options="--format -f --units --uv-per-count --zero --count -n --duration --fail-above --reconnect"
            options+=" --protocol --baud --rate --start --json" word=source
            ;;
        "eeg record")
            options="--from --to --raw --split --force --patient --sex --birthdate --name --technician --labels"
            options+=" --view --stream --when --run --bell --tone --player --baseline --hysteresis --refractory"
            options+=" --window --band --channel"
            options+=" --uv-per-count --zero --duration --reconnect --protocol --baud --rate --json" word=source
            ;;
        "eeg simulate")
            options="--protocol --channels --rate --duration --count --seed --speed --mains --gain --bursts --stdout --tcp"
            options+=" --link --fault --truth --json" word=
            ;;
        "eeg stats")
            options="--from --protocol --baud --rate --duration --uv-per-count --zero --fail-above --json" word=source
            ;;
        "eeg view")
            options="--channels --seconds --gain --units --high-pass --notch --low-pass --sweep --scroll --fps --ascii"
            options+=" --window --snapshot"
            options+=" --blocks --from --duration --reconnect --protocol --baud --rate --uv-per-count --zero" word=source
            ;;
        "eeg stream")
            options="--from --duration --reconnect --protocol --baud --rate --uv-per-count --zero --name --units --lan"
            options+=" --json" word=source
            ;;
        "eeg watch")
            options="--when --run --print --bell --tone --player --all --baseline --hysteresis --refractory --window"
            options+=" --band --channel --from --protocol --baud --rate --uv-per-count --zero --duration --reconnect"
            options+=" --json" word=source
            ;;
        "tls bench") options="--tls --connections -n --rounds --round-time --json" word= ;;
        "tls probe") options="--starttls --ca --servername --want --timeout -t --json" word=host ;;
        "tls run") options="--timeout -t --socket -s" word=file ;;
        "tls serve")
            options="--cert --key --self-signed --host --port --mode --count --timeout -t --socket -s --json" word=
            ;;
        *) return ;;
    esac

    if [[ $cur == -* ]]; then
        _kit_words "$options --help -h"
        return
    fi
    case $word in
        "") ;;
        key) _kit_words "$(_kit_keys)" ;;
        host) COMPREPLY=($(compgen -A hostname -- "$cur")) ;;
        file) _kit_files ;;
        source) _kit_source ;;
        *) _kit_words "$word" ;;
    esac
}

complete -F _kit kit
