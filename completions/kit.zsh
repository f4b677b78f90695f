#compdef kit

_kit_keys() {
    # The names of the keys that the agent holds; silent where there is no agent.
    local -a names
    names=(${${(f)"$(kit agent list 2>/dev/null)"}%% *})
    names=(${names:#NAME})
    _wanted keys expl key compadd -a names
}

_kit_key_or_file() {
    _alternative 'keys:key:_kit_keys' 'files:file:_files'
}

_kit_named_file() {
    if compset -P '*='; then
        _files
    else
        _message 'NAME=FILE'
    fi
}

_kit_purposes() {
    _values -s , purpose \
        'tls-server[handshakes of a TLS server]' \
        'tls-client[handshakes of a TLS client]' \
        'ssh[SSH logins and signatures]' \
        'csr[certificate requests for the key itself]' \
        'self-signed[certificates of the key for itself]' \
        'ca[any certificate]' \
        'any[anything, if all of it arrives]' \
        'tls-digest[digests of a form that TLS uses]' \
        'digest[any digest, so anything at all]' \
        'decrypt[RSA decryption]' \
        'queue[encrypted queue files]'
}

_kit_agent() {
    local curcontext=$curcontext state line
    local -A opt_args
    local -a kit_commands help socket json allow lifetime passphrase output names
    help=('(- *)'{-h,--help}'[show help]')
    socket=('(-s --socket)'{-s,--socket}'[the socket of the agent]:socket:_files')
    json=('--json[print one JSON object a line]')
    allow=('--allow[what the key may sign]:purposes:_kit_purposes')
    lifetime=('--lifetime[forget the key after this time]:time, as in 1h30m')
    passphrase=('--passphrase-fd[read passphrases from this descriptor]:descriptor')
    output=('(-o --output)'{-o,--output}'[write there]:file:_files')
    names=(
        '--subject[the subject]:name, as in CN=mail.example.org'
        '*--dns[a DNS name of the server]:name'
        '*--ip[an IP address of the server]:address'
    )
    kit_commands=(
        'add:add private keys from files'
        'check-config:check a configuration'
        'csr:make a certificate request'
        'generate:make a key inside the agent'
        'handle:write the handle of a key'
        'list:list the keys'
        'lock:lock the agent with a passphrase'
        'metrics:print counters as OpenMetrics'
        'open:open an encrypted queue file'
        'public:print a public key'
        'recipe:tell how a program gets its key from the agent'
        'smtpd:start OpenSMTPD with its keys in the agent'
        'reload:read configuration and key files again'
        'remove:forget keys'
        'seal:encrypt a file as smtpd encrypts its queue'
        'selfsign:make a self-signed certificate'
        'start:start an agent'
        'status:show the state of the agent'
        'stop:end the agent'
        'top:watch keys and peers at work'
        'unlock:unlock the agent'
    )

    _arguments -C $help '1: :->command' '*:: :->rest' && return
    if [[ $state == command ]]; then
        _describe -t commands 'command' kit_commands
        return
    fi
    case $line[1] in
        add) _arguments $help $allow $lifetime $passphrase $socket $json '*:key file:_kit_named_file' ;;
        csr) _arguments $help $names $output $socket '1:key:_kit_keys' ;;
        generate)
            _arguments $help $allow $lifetime $socket $json '1:name' \
                '--type[the type of the key]:type:(rsa-2048 rsa-3072 rsa-4096 rsa-8192 p-256 p-384 p-521 ed25519 ml-dsa-44 ml-dsa-65 ml-dsa-87)'
            ;;
        handle)
            _arguments $help '--any-agent[leave the socket out]' '--format[the form]:form:(kit pkcs11-uri)' \
                $output $socket '1:key:_kit_keys'
            ;;
        check-config) _arguments $help $json '1:file:_files' ;;
        recipe)
            _arguments $help '--key[the key that the program is to use]:key:_kit_keys' \
                '--cert[the certificate of the key]:file:_files' \
                '--pkcs11[the socket for PKCS#11 programs]:socket:_files' $socket $json \
                '1:program:(nginx postfix haproxy smtpd openssh sshd python openssl curl gnutls java nss)'
            ;;
        list | reload | status) _arguments $help $socket $json ;;
        lock | unlock) _arguments $help $passphrase $socket ;;
        metrics) _arguments $help $output $socket $json ;;
        open)
            _arguments $help '*--key[try this key]:key:_kit_keys' $output $socket '1:file:_files'
            ;;
        public) _arguments $help '--format[the form]:form:(pem ssh)' $output $socket '1:key:_kit_keys' ;;
        remove) _arguments $help '--all[remove every key]' $socket '*:key:_kit_keys' ;;
        seal) _arguments $help '--key[seal with this key]:key:_kit_keys' $output $socket '1:file:_files' ;;
        selfsign)
            _arguments $help $names '--days[how long it is valid]:days' $output $socket '1:key:_kit_keys'
            ;;
        smtpd)
            _arguments -S $help $socket $json '--check[start nothing, tell what is there]' \
                '--make-dummy[write the key file that smtpd is to read]:file:_files' \
                '--user[who asks the agent]:user:_users' \
                '(-)1:smtpd: _command_names -e' '*::arguments: _normal'
            ;;
        start)
            _arguments -S $help $allow $lifetime $passphrase $socket $json \
                '*--key[add this key]:key file:_kit_named_file' \
                '--foreground[stay, and log to standard error]' \
                '--log[append the log to this file]:file:_files' \
                '--config[read the configuration]:file:_files' \
                '--user[become this user]:user:_users' \
                '--workers[how many processes serve]:number' \
                '--sandbox[how much the processes with keys give up]:level:(strict compat off)' \
                '--audit[write the audit log]:file:_files' \
                '--audit-strict[use no key while it cannot be written]' \
                '--pkcs11=-[serve PKCS\#11 programs, too]::socket:_files' \
                '--wipe-memory[overwrite memory as soon as it is free]' \
                '(-c --csh)'{-c,--csh}'[print commands for csh]' \
                '(-)1:command: _command_names -e' '*::arguments: _normal'
            ;;
        stop) _arguments $help $socket ;;
        top)
            _arguments $help $socket $json \
                '(-n --interval)'{-n,--interval}'[how long between two drawings]:seconds' \
                '--count[end after this many]:number'
            ;;
    esac
}

_kit_tls() {
    local curcontext=$curcontext state line
    local -A opt_args
    local -a kit_commands help socket json timeout
    help=('(- *)'{-h,--help}'[show help]')
    socket=('(-s --socket)'{-s,--socket}'[the socket of the agent]:socket:_files')
    json=('--json[print one JSON object a line]')
    timeout=('(-t --timeout)'{-t,--timeout}'[how long one step may take]:seconds')
    kit_commands=(
        'bench:compare handshakes with keys in an agent and in the server'
        'probe:try TLS 1.2 and 1.3 with RSA and ECDSA'
        'run:run a Python program that takes a handle for a key'
        'serve:serve test handshakes'
    )

    _arguments -C $help '1: :->command' '*:: :->rest' && return
    if [[ $state == command ]]; then
        _describe -t commands 'command' kit_commands
        return
    fi
    case $line[1] in
        bench)
            _arguments $help $json \
                '--tls[the version]:version:(1.2 1.3)' \
                '(-n --connections)'{-n,--connections}'[clients at a time]:number' \
                '--rounds[rounds a case]:number' \
                '--round-time[how long each side has in a round]:seconds'
            ;;
        probe)
            _arguments $help $timeout $json \
                '--starttls[hold this dialogue before TLS]:protocol:(smtp)' \
                '--ca[trust only these authorities]:file:_files' \
                '--servername[ask for this name and verify it]:name:_hosts' \
                '--want[fail where one of these is not served]:types:(rsa ecdsa ml-dsa rsa,ecdsa)' \
                '1:host:_hosts'
            ;;
        run) _arguments -S $help $timeout $socket '(-)1:script:_files' '*::arguments:_files' ;;
        serve)
            _arguments $help $timeout $socket $json \
                '*--cert[a certificate]:file:_files' \
                '*--key[its key]:key:_kit_key_or_file' \
                '--self-signed[make test certificates for localhost]' \
                '--host[the address to listen on]:address' \
                '--port[the port to listen on]:port' \
                '--mode[what to speak]:mode:(echo https smtp)' \
                '--count[end after so many handshakes]:number'
            ;;
    esac
}

_kit_sources() {
    local -a ports
    ports=(${(M)${${(f)"$(kit eeg ports 2>/dev/null)"}%% *}:#/dev/*})
    _alternative 'ports:serial port:compadd -a ports' 'files:file:_files'
}

_kit_eeg() {
    local curcontext=$curcontext state line
    local -A opt_args
    local -a kit_commands help json protocol baud rate start units scale duration fail from formats all recorded sending
    help=('(- *)'{-h,--help}'[show help]')
    json=('--json[print one JSON object a line]')
    protocol=('--protocol[what the device speaks]:protocol:(auto p2 p3)')
    baud=('--baud[the speed of the serial line]:bits a second')
    rate=('--rate[packets a second]:hertz')
    start=('--start[when the first packet was sent]:time, as in 2021-05-26T13\:09\:07Z')
    scale=('--uv-per-count[microvolts a count]:number' '--zero[the count of no voltage]:number')
    units=('--units[what the channels are shown in]:units:(adc uv)' $scale)
    duration=('--duration[end after this time]:seconds')
    fail=('--fail-above[fail if more was lost]:per cent')
    sending=(
        '--speed[times real time]:factor:(max)'
        '(--tcp --link)--stdout[write to standard output]'
        '(--stdout --link)--tcp[serve on a TCP port]:port'
        '(--stdout --tcp)--link[have a link to the pty]:name:_files'
    )
    formats=(eegreader csv tsv ndjson raw table)
    all=($formats eegreader-json edf bdf xdf)
    recorded=(edf bdf xdf csv tsv ndjson eegreader raw)
    kit_commands=(
        'calibrate:find out how many microvolts a count is'
        'convert:convert between the formats'
        'doctor:watch a port, and tell where packets went; check a recording'
        'play:be the board that a recording was made from'
        'plot:draw a recording'
        'ports:list the serial ports'
        'read:print each packet'
        'record:record into a file that survives'
        'simulate:be an EEG board'
        'stats:say what was lost and why'
        'stream:stream to LSL, as EEG and as Markers'
        'view:show the signals as they come'
        'watch:say when something happens'
    )

    _arguments -C $help '1: :->command' '*:: :->rest' && return
    if [[ $state == command ]]; then
        _describe -t commands 'command' kit_commands
        return
    fi
    case $line[1] in
        calibrate)
            _arguments $help $duration $protocol $baud $rate $json \
                '--peak-to-peak[the size of the signal]:microvolts' \
                '--frequency[look for it there]:hertz' \
                '--waveform[its shape]:shape:(auto sine square)' \
                "--from[the format of the input]:format:(auto $all)" \
                '1:source:_kit_sources'
            ;;
        convert)
            _arguments $help $protocol $rate $start $units $json \
                "--from[the format of IN]:format:($all)" \
                "--to[the format of OUT]:format:($formats edf bdf xdf)" \
                '1:input:_files' '2:output:_files'
            ;;
        doctor)
            _arguments $help $protocol $baud $rate $duration $json \
                '--repair[mend a recording]' '1:port or file:_kit_sources'
            ;;
        play)
            _arguments $help $protocol $rate $duration $scale $sending $json \
                "--from[the format of the file]:format:(auto $all)" \
                '--loop[begin anew at the end]' \
                '1:file:_files'
            ;;
        plot)
            _arguments $help $protocol $rate $start $scale \
                '(-o --output)'{-o,--output}'[write the picture there]:file:_files' \
                '--kind[what to draw]:kind:(overview spectrogram spectrum bands all)' \
                '--channels[which ones, as in 1,2]:channels:(all)' \
                '--begin[leave out what is before]:seconds' \
                '--end[leave out what is after]:seconds' \
                "--from[the format of the input]:format:(auto $all)" \
                '1:recording:_files'
            ;;
        ports) _arguments $help $json '--all[show ports without hardware, too]' ;;
        read)
            _arguments $help $units $duration $fail $protocol $baud $rate $start $json \
                "(-f --format)"{-f,--format}"[what to print]:format:($formats)" \
                '(-n --count)'{-n,--count}'[end after so many packets]:number' \
                '--reconnect[wait for a device that goes away]' \
                '1:source:_kit_sources'
            ;;
        record)
            _arguments $help $duration $scale $protocol $baud $rate $json \
                "--from[the format of the input]:format:(auto $all)" \
                "--to[the format of OUT]:format:($recorded)" \
                '--raw[keep the bytes and their times beside OUT]' \
                '--split[begin another part after this time]:time, as in 30m' \
                '--force[overwrite what is there]' \
                '--view[show the signals in the terminal]' \
                '--stream[stream them to LSL]' \
                '*--when[a condition]:expression, as in alpha1 > 12 for 0.5s' \
                '*--run[start a command]:command:_command_names' \
                "--bell[ring the terminal's bell]" \
                '--tone[let a pitch follow the value]' \
                '--player[what is given the sound]:command:_command_names' \
                '--baseline[measure what percentiles are]:time, as in 60s' \
                '--hysteresis[how far beyond its threshold a condition ends]:per cent' \
                '--refractory[how long a condition does not begin again]:seconds' \
                '--window[what the power of a band is of]:seconds' \
                '*--band[a band of your own]:name=low-high' \
                '--channel[what names without a number are of]:number:(1 2 3 4 5 6)' \
                '--patient[who is recorded]:code' \
                '--sex[who is recorded]:sex:(F M)' \
                '--birthdate[who is recorded]:date, as in 1970-12-31' \
                '--name[who is recorded]:name' \
                '--technician[who records]:name' \
                '--labels[where the electrodes are]:names, as in Fp1,Fp2' \
                '--reconnect[wait for a device that goes away]' \
                '1:output:_files' '2:source:_kit_sources'
            ;;
        simulate)
            _arguments $help $rate $duration $sending $json \
                '--protocol[what it speaks]:protocol:(p2 p3)' \
                '--channels[how many]:number:(0 2 4 6)' \
                '--count[end after so many packets]:number' \
                '--seed[another signal, and other chances]:number' \
                '--mains[hum]:hertz:(50 60 0)' \
                '--gain[times the usual signal]:factor' \
                '--bursts[have alpha in bursts of known times]' \
                '*--fault[what goes wrong]:fault:(flip garbage lost lost-bytes restart stall unplug)' \
                '--truth[write down what went wrong]:file:_files'
            ;;
        stats)
            _arguments $help $protocol $baud $rate $duration $scale $fail $json \
                "--from[the format of the input]:format:(auto $all)" \
                '1:source:_kit_sources'
            ;;
        stream)
            _arguments $help $protocol $baud $rate $duration $units $json \
                "--from[the format of the input]:format:(auto $all)" \
                '--reconnect[wait for a device that goes away]' \
                '--name[what the stream is called]:name' \
                '--lan[let the network read it]' \
                '1:source:_kit_sources'
            ;;
        view)
            _arguments $help $protocol $baud $rate $duration $units \
                "--from[the format of the input]:format:(auto $all)" \
                '--reconnect[wait for a device that goes away]' \
                '--channels[which ones]:list:(all)' \
                '--seconds[how much time is in the picture]:seconds' \
                '--gain[what half a lane stands for]:number' \
                '--high-pass[a filter against what is slower]:hertz' \
                '--notch[a filter against hum]:hertz:(50 60)' \
                '--low-pass[a filter against what is quicker]:hertz' \
                '(--scroll)--sweep[write over the old picture]' \
                '(--sweep)--scroll[move the picture to the left]' \
                '--fps[pictures a second]:number' \
                '(--blocks)--ascii[draw with any terminal'\''s characters]' \
                '(--ascii)--blocks[draw with blocks]' \
                '(--snapshot)--window[show them in a window]' \
                '(--window)--snapshot[draw the end into a file]:picture:_files -g "*.(svg|png)"' \
                '1:source:_kit_sources'
            ;;
        watch)
            _arguments $help $protocol $baud $rate $duration $scale $json \
                '*--when[a condition]:expression, as in alpha1 > 12 for 0.5s' \
                '*--run[start a command]:command:_command_names' \
                '--print[print what happens]' \
                "--bell[ring the terminal's bell]" \
                '--tone[let a pitch follow the value]' \
                '--player[what is given the sound]:command:_command_names' \
                '--all[tell also of blinks, buttons, losses and artefacts]' \
                '--baseline[measure what percentiles are]:time, as in 60s' \
                '--hysteresis[how far beyond its threshold a condition ends]:per cent' \
                '--refractory[how long a condition does not begin again]:seconds' \
                '--window[what the power of a band is of]:seconds' \
                '*--band[a band of your own]:name=low-high' \
                '--channel[what names without a number are of]:number:(1 2 3 4 5 6)' \
                '--reconnect[wait for a device that goes away]' \
                "--from[the format of the input]:format:(auto $all)" \
                '1:source:_kit_sources'
            ;;
    esac
}

_kit() {
    local curcontext=$curcontext state line
    local -A opt_args
    local -a groups
    groups=(
        'agent:hold private keys in a process of their own'
        'eeg:capture OpenEEG data'
        'tls:test TLS handshakes'
    )

    _arguments -C '(- *)'{-h,--help}'[show help]' '(- *)--version[show the version]' \
        '1: :->group' '*:: :->rest' && return
    case $state in
        group) _describe -t groups 'group' groups ;;
        rest)
            case $line[1] in
                agent) _kit_agent ;;
                eeg) _kit_eeg ;;
                tls) _kit_tls ;;
            esac
            ;;
    esac
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _kit "$@"
else
    compdef _kit kit
fi
