# fish completion for kit(1)

function __kit_words
    # The first two words of the line that are no options: group and command.
    set -l words (string match --invert -- '-*' (commandline -opc))
    echo "$words[2..3]"
end

function __kit_is
    contains -- (__kit_words) $argv
end

function __kit_before_program
    # Is this still kit's own part of the line?
    not contains -- -- (commandline -opc)
end

function __kit_program
    # Complete what follows the "--" as a line of its own.
    set -l words (commandline -opc) (commandline -ct)
    set -l at (contains --index -- -- $words)
    complete -C (string join ' ' -- $words[(math $at + 1)..])
end

function __kit_keys
    # The names of the keys that the agent holds; silent where there is no agent.
    command -q kit; or return
    kit agent list 2>/dev/null | string match --invert 'NAME *' | string split --fields 1 ' '
end

function __kit_named_files
    # NAME=FILE
    set -l token (commandline -ct)
    if string match -q '*=*' -- $token
        set -l name (string split --max 1 = -- $token)[1]
        for file in (__fish_complete_path (string replace -r '^[^=]*=' '' -- $token) | string split --fields 1 \t)
            echo $name=$file
        end
    end
end

function __kit_ports
    command -q kit; or return
    kit eeg ports 2>/dev/null | string match --regex '^/dev/\S+'
end

set -l purposes 'tls-server tls-client ssh csr self-signed ca any tls-digest digest decrypt queue'
set -l types 'rsa-2048 rsa-3072 rsa-4096 rsa-8192 p-256 p-384 p-521 ed25519 ml-dsa-44 ml-dsa-65 ml-dsa-87'

# Files where a command takes files, and nowhere else.
complete -c kit -n __kit_before_program -f
complete -c kit -n 'not __kit_before_program' -xa '(__kit_program)'
complete -c kit -n __kit_before_program -s h -l help -d 'Show help'
complete -c kit -n '__kit_is ""' -l version -d 'Show the version'

complete -c kit -n '__kit_is ""' -a agent -d 'Hold private keys in a process of their own'
complete -c kit -n '__kit_is ""' -a eeg -d 'Capture OpenEEG data'
complete -c kit -n '__kit_is ""' -a tls -d 'Test TLS handshakes'

complete -c kit -n '__kit_is agent' -a add -d 'Add private keys from files'
complete -c kit -n '__kit_is agent' -a check-config -d 'Check a configuration'
complete -c kit -n '__kit_is agent' -a csr -d 'Make a certificate request'
complete -c kit -n '__kit_is agent' -a generate -d 'Make a key inside the agent'
complete -c kit -n '__kit_is agent' -a handle -d 'Write the handle of a key'
complete -c kit -n '__kit_is agent' -a list -d 'List the keys'
complete -c kit -n '__kit_is agent' -a lock -d 'Lock the agent with a passphrase'
complete -c kit -n '__kit_is agent' -a metrics -d 'Print counters as OpenMetrics'
complete -c kit -n '__kit_is agent' -a open -d 'Open an encrypted queue file'
complete -c kit -n '__kit_is agent' -a public -d 'Print a public key'
complete -c kit -n '__kit_is agent' -a smtpd -d 'Start OpenSMTPD with its keys in the agent'
complete -c kit -n '__kit_is agent' -a recipe -d 'Tell how a program gets its key from the agent'
complete -c kit -n '__kit_is agent' -a reload -d 'Read configuration and key files again'
complete -c kit -n '__kit_is agent' -a remove -d 'Forget keys'
complete -c kit -n '__kit_is agent' -a seal -d 'Encrypt a file as smtpd encrypts its queue'
complete -c kit -n '__kit_is agent' -a selfsign -d 'Make a self-signed certificate'
complete -c kit -n '__kit_is agent' -a start -d 'Start an agent'
complete -c kit -n '__kit_is agent' -a status -d 'Show the state of the agent'
complete -c kit -n '__kit_is agent' -a stop -d 'End the agent'
complete -c kit -n '__kit_is agent' -a top -d 'Watch keys and peers at work'
complete -c kit -n '__kit_is agent' -a unlock -d 'Unlock the agent'

complete -c kit -n '__kit_is eeg' -a calibrate -d 'Find out how many microvolts a count is'
complete -c kit -n '__kit_is eeg' -a convert -d 'Convert between the formats'
complete -c kit -n '__kit_is eeg' -a doctor -d 'Watch a port, and tell where packets went'
complete -c kit -n '__kit_is eeg' -a play -d 'Be the board of a recording'
complete -c kit -n '__kit_is eeg' -a plot -d 'Draw a recording'
complete -c kit -n '__kit_is eeg' -a ports -d 'List the serial ports'
complete -c kit -n '__kit_is eeg' -a read -d 'Print each packet'
complete -c kit -n '__kit_is eeg' -a record -d 'Record into a file that survives'
complete -c kit -n '__kit_is eeg' -a simulate -d 'Be an EEG board'
complete -c kit -n '__kit_is eeg' -a stats -d 'Say what was lost and why'
complete -c kit -n '__kit_is eeg' -a stream -d 'Stream to LSL, as EEG and as Markers'
complete -c kit -n '__kit_is eeg' -a view -d 'Show the signals as they come'
complete -c kit -n '__kit_is eeg' -a watch -d 'Say when something happens'

complete -c kit -n '__kit_is tls' -a bench -d 'Compare handshakes with keys in an agent and in the server'
complete -c kit -n '__kit_is tls' -a probe -d 'Try TLS 1.2 and 1.3 with RSA and ECDSA'
complete -c kit -n '__kit_is tls' -a run -d 'Run a Python program that takes a handle for a key'
complete -c kit -n '__kit_is tls' -a serve -d 'Serve test handshakes'

# What several commands take.
set -l of_agent 'agent add' 'agent csr' 'agent generate' 'agent handle' 'agent list' 'agent lock' 'agent metrics' \
    'agent open' 'agent public' 'agent recipe' 'agent reload' 'agent remove' 'agent seal' 'agent selfsign' \
    'agent smtpd' 'agent start' 'agent status' 'agent stop' 'agent top' 'agent unlock'
function __kit_takes
    __kit_before_program; and __kit_is $argv
end
set -l in_quotes "'"(string join "' '" -- $of_agent 'tls run' 'tls serve')"'"
complete -c kit -n "__kit_takes $in_quotes" -s s -l socket -rF -d 'The socket of the agent'
complete -c kit -n "__kit_takes 'agent add' 'agent check-config' 'agent generate' 'agent list' 'agent metrics' \
    'agent recipe' 'agent reload' 'agent smtpd' 'agent start' 'agent status' 'agent top' \
    'eeg convert' 'eeg doctor' 'eeg play' 'eeg ports' 'eeg read' 'eeg record' 'eeg simulate' 'eeg stats' 'eeg stream' 'eeg watch' \
    'tls bench' 'tls probe' 'tls serve'" -l json -d 'Print one JSON object a line'
complete -c kit -n "__kit_takes 'tls probe' 'tls run' 'tls serve'" -s t -l timeout -x -d 'How long one step may take'
complete -c kit -n "__kit_takes 'agent add' 'agent generate' 'agent start'" -l allow -x \
    -a "(__fish_complete_list , 'string split \" \" \"$purposes\"')" -d 'What the key may sign'
complete -c kit -n "__kit_takes 'agent add' 'agent generate' 'agent start'" -l lifetime -x \
    -d 'Forget the key after this time'
complete -c kit -n "__kit_takes 'agent add' 'agent lock' 'agent start' 'agent unlock'" -l passphrase-fd -x \
    -d 'Read passphrases from this descriptor'
complete -c kit -n "__kit_takes 'agent csr' 'agent handle' 'agent metrics' 'agent open' 'agent public' 'agent seal' \
    'agent selfsign'" -s o -l output -rF -d 'Write there'
complete -c kit -n "__kit_takes 'agent csr' 'agent selfsign'" -l subject -x -d 'The subject'
complete -c kit -n "__kit_takes 'agent csr' 'agent selfsign'" -l dns -x -d 'A DNS name of the server'
complete -c kit -n "__kit_takes 'agent csr' 'agent selfsign'" -l ip -x -d 'An IP address of the server'
complete -c kit -n "__kit_takes 'agent csr' 'agent handle' 'agent public' 'agent remove' 'agent selfsign'" \
    -a '(__kit_keys)' -d Key

# What one command takes.
complete -c kit -n "__kit_takes 'agent add'" -a '(__kit_named_files)'
complete -c kit -n "__kit_takes 'agent generate'" -l type -x -a $types -d 'The type of the key'
complete -c kit -n "__kit_takes 'agent handle'" -l any-agent -d 'Leave the socket out'
complete -c kit -n "__kit_takes 'agent handle'" -l format -x -a 'kit pkcs11-uri' -d 'The form'
complete -c kit -n "__kit_takes 'agent public'" -l format -x -a 'pem ssh' -d 'The form'
complete -c kit -n "__kit_takes 'agent recipe'" \
    -a 'nginx postfix haproxy smtpd openssh sshd python openssl curl gnutls java nss' -d Program
complete -c kit -n "__kit_takes 'agent recipe'" -l key -x -a '(__kit_keys)' -d 'The key that the program is to use'
complete -c kit -n "__kit_takes 'agent recipe'" -l cert -rF -d 'The certificate of the key'
complete -c kit -n "__kit_takes 'agent recipe'" -l pkcs11 -rF -d 'The socket for PKCS#11 programs'
complete -c kit -n "__kit_takes 'agent open' 'agent seal'" -F
complete -c kit -n "__kit_takes 'agent open'" -l key -x -a '(__kit_keys)' -d 'Try this key'
complete -c kit -n "__kit_takes 'agent seal'" -l key -x -a '(__kit_keys)' -d 'Seal with this key'
complete -c kit -n "__kit_takes 'agent remove'" -l all -d 'Remove every key'
complete -c kit -n "__kit_takes 'agent selfsign'" -l days -x -d 'How long it is valid'
complete -c kit -n "__kit_takes 'agent smtpd'" -l check -d 'Start nothing; tell what is there'
complete -c kit -n "__kit_takes 'agent smtpd'" -l make-dummy -rF -d 'Write the key file that smtpd is to read'
complete -c kit -n "__kit_takes 'agent smtpd'" -l user -x -a '(__fish_complete_users)' -d 'Who asks the agent'
complete -c kit -n "__kit_takes 'agent start'" -l key -x -a '(__kit_named_files)' -d 'Add this key'
complete -c kit -n "__kit_takes 'agent start'" -l foreground -d 'Stay, and log to standard error'
complete -c kit -n "__kit_takes 'agent start'" -l log -rF -d 'Append the log to this file'
complete -c kit -n "__kit_takes 'agent check-config'" -F
complete -c kit -n "__kit_takes 'agent start'" -l config -rF -d 'Read the configuration'
complete -c kit -n "__kit_takes 'agent start'" -l user -x -a '(__fish_complete_users)' -d 'Become this user'
complete -c kit -n "__kit_takes 'agent start'" -l workers -x -d 'How many processes serve'
complete -c kit -n "__kit_takes 'agent start'" -l sandbox -x -a 'strict compat off' -d 'How much is given up'
complete -c kit -n "__kit_takes 'agent start'" -l audit -rF -a 'stdout journal' -d 'Write the audit log'
complete -c kit -n "__kit_takes 'agent start'" -l audit-strict -d 'Use no key while it cannot be written'
complete -c kit -n "__kit_takes 'agent start'" -l pkcs11 -d 'Serve PKCS#11 programs, too'
complete -c kit -n "__kit_takes 'agent start'" -l wipe-memory -d 'Overwrite memory as soon as it is free'
complete -c kit -n "__kit_takes 'agent top'" -s n -l interval -x -d 'How long between two drawings'
complete -c kit -n "__kit_takes 'agent top'" -l count -x -d 'End after this many'
complete -c kit -n "__kit_takes 'agent start'" -s c -l csh -d 'Print commands for csh'

set -l formats eegreader csv tsv ndjson raw table
set -l all $formats eegreader-json edf bdf xdf
set -l recorded edf bdf xdf csv tsv ndjson eegreader raw
complete -c kit -n "__kit_takes 'eeg convert' 'eeg doctor' 'eeg play' 'eeg plot' 'eeg read' 'eeg record' 'eeg stats' 'eeg stream' 'eeg view' 'eeg watch'" -l protocol -x -a 'auto p2 p3' \
    -d 'What the device speaks'
complete -c kit -n "__kit_takes 'eeg doctor' 'eeg read' 'eeg record' 'eeg stats' 'eeg stream' 'eeg view' 'eeg watch'" -l baud -x -d 'The speed of the serial line'
complete -c kit -n "__kit_takes 'eeg convert' 'eeg doctor' 'eeg play' 'eeg plot' 'eeg read' 'eeg record' 'eeg simulate' 'eeg stats' 'eeg stream' 'eeg view' 'eeg watch'" -l rate -x -d 'Packets a second'
complete -c kit -n "__kit_takes 'eeg convert' 'eeg plot' 'eeg read'" -l start -x -d 'When the first packet was sent'
complete -c kit -n "__kit_takes 'eeg convert' 'eeg read' 'eeg stream' 'eeg view'" -l units -x -a 'adc uv' -d 'Counts or microvolts'
complete -c kit -n "__kit_takes 'eeg convert' 'eeg play' 'eeg plot' 'eeg read' 'eeg record' 'eeg stats' 'eeg stream' 'eeg view' 'eeg watch'" -l uv-per-count -x -d 'Microvolts a count'
complete -c kit -n "__kit_takes 'eeg convert' 'eeg play' 'eeg plot' 'eeg read' 'eeg record' 'eeg stats' 'eeg stream' 'eeg view' 'eeg watch'" -l zero -x -d 'The count of no voltage'
complete -c kit -n "__kit_takes 'eeg doctor' 'eeg play' 'eeg read' 'eeg record' 'eeg simulate' 'eeg stats' 'eeg stream' 'eeg view' 'eeg watch'" -l duration -x \
    -d 'End after this time'
complete -c kit -n "__kit_takes 'eeg read' 'eeg stats'" -l fail-above -x -d 'Fail if more was lost'
complete -c kit -n "__kit_takes 'eeg doctor' 'eeg read' 'eeg record' 'eeg stats' 'eeg stream' 'eeg view' 'eeg watch'" -a '(__kit_ports)' -d 'Serial port'
complete -c kit -n "__kit_takes 'eeg convert' 'eeg doctor' 'eeg play' 'eeg read' 'eeg record' 'eeg stats' 'eeg stream' 'eeg view' 'eeg watch'" -a '(__fish_complete_path (commandline -ct))'

complete -c kit -n "__kit_takes 'eeg calibrate'" -l peak-to-peak -x -d 'The size of the signal'
complete -c kit -n "__kit_takes 'eeg calibrate'" -l frequency -x -d 'Look for it there'
complete -c kit -n "__kit_takes 'eeg calibrate'" -l waveform -x -a 'auto sine square' -d 'Its shape'
complete -c kit -n "__kit_takes 'eeg calibrate'" -l from -x -a "auto $all" -d 'The format of the input'
complete -c kit -n "__kit_takes 'eeg calibrate'" -l protocol -x -a 'auto p2 p3' -d 'What the device speaks'
complete -c kit -n "__kit_takes 'eeg calibrate'" -l baud -x -d 'The speed of the serial line'
complete -c kit -n "__kit_takes 'eeg calibrate'" -l rate -x -d 'Packets a second'
complete -c kit -n "__kit_takes 'eeg calibrate'" -l duration -x -d 'How long to listen'
complete -c kit -n "__kit_takes 'eeg calibrate'" -l json -d 'Print one JSON object a line'
complete -c kit -n "__kit_takes 'eeg calibrate'" -a '(__kit_ports)' -d 'Serial port'
complete -c kit -n "__kit_takes 'eeg calibrate'" -a '(__fish_complete_path (commandline -ct))'
complete -c kit -n "__kit_takes 'eeg convert'" -l from -x -a "$all" -d 'The format of IN'
complete -c kit -n "__kit_takes 'eeg convert'" -l to -x -a "$formats edf bdf xdf" -d 'The format of OUT'
complete -c kit -n "__kit_takes 'eeg doctor'" -l repair -d 'Mend a recording'
complete -c kit -n "__kit_takes 'eeg ports'" -l all -d 'Show ports without hardware, too'
complete -c kit -n "__kit_takes 'eeg read'" -s f -l format -x -a "$formats" -d 'What to print'
complete -c kit -n "__kit_takes 'eeg read'" -s n -l count -x -d 'End after so many packets'
complete -c kit -n "__kit_takes 'eeg read' 'eeg record' 'eeg stream' 'eeg view' 'eeg watch'" -l reconnect -d 'Wait for a device that goes away'
complete -c kit -n "__kit_takes 'eeg record'" -l to -x -a "$recorded" -d 'The format of OUT'
complete -c kit -n "__kit_takes 'eeg record'" -l raw -d 'Keep the bytes and their times beside OUT'
complete -c kit -n "__kit_takes 'eeg record'" -l split -x -d 'Begin another part after this time'
complete -c kit -n "__kit_takes 'eeg record'" -l force -d 'Overwrite what is there'
complete -c kit -n "__kit_takes 'eeg record'" -l view -d 'Show the signals in the terminal'
complete -c kit -n "__kit_takes 'eeg record'" -l stream -d 'Stream them to LSL'
complete -c kit -n "__kit_takes 'eeg record'" -l patient -x -d 'Who is recorded: a code'
complete -c kit -n "__kit_takes 'eeg record'" -l sex -x -a 'F M' -d 'Who is recorded'
complete -c kit -n "__kit_takes 'eeg record'" -l birthdate -x -d 'Who is recorded: born at'
complete -c kit -n "__kit_takes 'eeg record'" -l name -x -d 'Who is recorded: the name'
complete -c kit -n "__kit_takes 'eeg record'" -l technician -x -d 'Who records'
complete -c kit -n "__kit_takes 'eeg record'" -l labels -x -d 'Where the electrodes are'
complete -c kit -n "__kit_takes 'eeg simulate'" -l protocol -x -a 'p2 p3' -d 'What it speaks'
complete -c kit -n "__kit_takes 'eeg simulate'" -l channels -x -a '0 2 4 6' -d 'How many channels'
complete -c kit -n "__kit_takes 'eeg simulate'" -l count -x -d 'End after so many packets'
complete -c kit -n "__kit_takes 'eeg simulate'" -l seed -x -d 'Another signal, and other chances'
complete -c kit -n "__kit_takes 'eeg play' 'eeg simulate'" -l speed -x -a max -d 'Times real time'
complete -c kit -n "__kit_takes 'eeg simulate'" -l mains -x -a '50 60 0' -d 'Hum, in hertz'
complete -c kit -n "__kit_takes 'eeg simulate'" -l gain -x -d 'Times the usual signal'
complete -c kit -n "__kit_takes 'eeg simulate'" -l bursts -d 'Have alpha in bursts of known times'
complete -c kit -n "__kit_takes 'eeg play' 'eeg simulate'" -l stdout -d 'Write to standard output'
complete -c kit -n "__kit_takes 'eeg play' 'eeg simulate'" -l tcp -x -d 'Serve on a TCP port'
complete -c kit -n "__kit_takes 'eeg play' 'eeg simulate'" -l link -rF -d 'Have a link to the pty'
complete -c kit -n "__kit_takes 'eeg simulate'" -l fault -x \
    -a 'flip garbage lost lost-bytes restart stall unplug' -d 'What goes wrong'
complete -c kit -n "__kit_takes 'eeg simulate'" -l truth -rF -d 'Write down what went wrong'
complete -c kit -n "__kit_takes 'eeg play'" -l loop -d 'Begin anew at the end'
complete -c kit -n "__kit_takes 'eeg play' 'eeg record' 'eeg stats' 'eeg watch'" -l from -x -a "auto $all" -d 'The format of the input'

complete -c kit -n "__kit_takes 'tls bench'" -l tls -x -a '1.2 1.3' -d 'The version'
complete -c kit -n "__kit_takes 'tls bench'" -s n -l connections -x -d 'Clients at a time'
complete -c kit -n "__kit_takes 'tls bench'" -l rounds -x -d 'Rounds a case'
complete -c kit -n "__kit_takes 'tls bench'" -l round-time -x -d 'How long each side has in a round'
complete -c kit -n "__kit_takes 'tls probe'" -l starttls -x -a smtp -d 'Hold this dialogue before TLS'
complete -c kit -n "__kit_takes 'tls probe'" -l ca -rF -d 'Trust only these authorities'
complete -c kit -n "__kit_takes 'tls probe'" -l servername -x -a '(__fish_print_hostnames)' \
    -d 'Ask for this name and verify it'
complete -c kit -n "__kit_takes 'tls probe'" -l want -x -a 'rsa ecdsa ml-dsa rsa,ecdsa' \
    -d 'Fail where one of these is not served'
complete -c kit -n "__kit_takes 'tls probe'" -a '(__fish_print_hostnames)'
complete -c kit -n "__kit_takes 'tls run'" -a '(__fish_complete_path (commandline -ct))'
complete -c kit -n "__kit_takes 'tls serve'" -l cert -rF -d 'A certificate'
complete -c kit -n "__kit_takes 'tls serve'" -l key -rFk -a '(__kit_keys)' -d 'Its key'
complete -c kit -n "__kit_takes 'tls serve'" -l self-signed -d 'Make test certificates for localhost'
complete -c kit -n "__kit_takes 'tls serve'" -l host -x -d 'The address to listen on'
complete -c kit -n "__kit_takes 'tls serve'" -l port -x -d 'The port to listen on'
complete -c kit -n "__kit_takes 'tls serve'" -l mode -x -a 'echo https smtp' -d 'What to speak'
complete -c kit -n "__kit_takes 'tls serve'" -l count -x -d 'End after so many handshakes'
complete -c kit -n "__kit_takes 'eeg stream'" -l from -x -a "auto $all" -d 'The format of the input'
complete -c kit -n "__kit_takes 'eeg view'" -l from -x -a "auto $all" -d 'The format of the input'
complete -c kit -n "__kit_takes 'eeg view'" -l channels -x -a all -d 'Which ones, as in 1,2'
complete -c kit -n "__kit_takes 'eeg view'" -l seconds -x -d 'How much time is in the picture'
complete -c kit -n "__kit_takes 'eeg view'" -l gain -x -d 'What half a lane stands for'
complete -c kit -n "__kit_takes 'eeg view'" -l high-pass -x -d 'A filter against what is slower'
complete -c kit -n "__kit_takes 'eeg view'" -l notch -x -a '50 60' -d 'A filter against hum'
complete -c kit -n "__kit_takes 'eeg view'" -l low-pass -x -d 'A filter against what is quicker'
complete -c kit -n "__kit_takes 'eeg view'" -l sweep -d 'Write over the old picture'
complete -c kit -n "__kit_takes 'eeg view'" -l scroll -d 'Move the picture to the left'
complete -c kit -n "__kit_takes 'eeg view'" -l fps -x -d 'Pictures a second'
complete -c kit -n "__kit_takes 'eeg view'" -l window -d 'Show them in a window'
complete -c kit -n "__kit_takes 'eeg view'" -l snapshot -rF -d 'Draw the end into a file'
complete -c kit -n "__kit_takes 'eeg view'" -l ascii -d 'Draw with any terminal'\''s characters'
complete -c kit -n "__kit_takes 'eeg view'" -l blocks -d 'Draw with blocks'
complete -c kit -n "__kit_takes 'eeg stream'" -l name -x -d 'What the stream is called'
complete -c kit -n "__kit_takes 'eeg stream'" -l lan -d 'Let the network read it'
complete -c kit -n "__kit_takes 'eeg plot'" -F
complete -c kit -n "__kit_takes 'eeg plot'" -s o -l output -rF -d 'Write the picture there'
complete -c kit -n "__kit_takes 'eeg plot'" -l kind -x -a 'overview spectrogram spectrum bands all' -d 'What to draw'
complete -c kit -n "__kit_takes 'eeg plot'" -l channels -x -a all -d 'Which ones, as in 1,2'
complete -c kit -n "__kit_takes 'eeg plot'" -l begin -x -d 'Leave out what is before'
complete -c kit -n "__kit_takes 'eeg plot'" -l end -x -d 'Leave out what is after'
complete -c kit -n "__kit_takes 'eeg plot'" -l from -x -a "auto $all" -d 'The format of the input'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l when -x -d 'A condition'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l run -x -a '(__fish_complete_command)' -d 'Start a command'
complete -c kit -n "__kit_takes 'eeg watch'" -l print -d 'Print what happens'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l bell -d 'Ring the bell of the terminal'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l tone -d 'Let a pitch follow the value'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l player -x -a '(__fish_complete_command)' -d 'What is given the sound'
complete -c kit -n "__kit_takes 'eeg watch'" -l all -d 'Tell also of blinks, buttons, losses and artefacts'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l baseline -x -d 'Measure what percentiles are'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l hysteresis -x -d 'How far beyond its threshold a condition ends'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l refractory -x -d 'How long a condition does not begin again'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l window -x -d 'What the power of a band is of'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l band -x -d 'A band of your own, as mu=8-12'
complete -c kit -n "__kit_takes 'eeg record' 'eeg watch'" -l channel -x -a '1 2 3 4 5 6' -d 'What names without a number are of'
