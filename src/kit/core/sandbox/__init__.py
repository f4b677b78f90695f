"""What a process gives up so that whoever takes it over gets nothing: limits, users, names, system calls.

`confine` is the door: `restrain` for the supervisor, `confine` for the process that holds the keys, `seal`
for the workers forked from it, `isolate` for what speaks to an agent in another program's place. The other
modules are one mechanism each; `filters` holds the tables that say which system calls are left.
"""
