"""How a program that nobody changed gets its key from the agent, on this machine.

`sight` looks at the machine; everything else is told what it saw and writes down what there is to do. What a
recipe claims to be tested is tested as it is printed (tests/system/test_recipes*.py).
"""
