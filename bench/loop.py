"""What Python programs do all day: method calls, dictionaries, strings, sorting, regular expressions, JSON, big integers.

usage: loop.py [SCALE]
"""
import json
import re
import sys


class Body:
    def __init__(self, position, speed):
        self.position = position
        self.speed = speed

    def step(self, force, duration):
        self.speed += force * duration
        self.position += self.speed * duration


def simulate(steps):
    bodies = [Body(float(i), 0.0) for i in range(20)]
    for _ in range(steps):
        for body in bodies:
            body.step(-body.position, 0.01)
    return sum(body.position for body in bodies)


def fibonacci(n):
    return n if n < 2 else fibonacci(n - 1) + fibonacci(n - 2)


def words(count):
    state = 1
    for _ in range(count):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        yield "w%x" % (state >> 18)


def count_words(count):
    counts = {}
    for word in words(count):
        counts[word] = counts.get(word, 0) + 1
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:10]


def search(rounds):
    text = " ".join("%s@%s.example, %d" % (word, word[::-1], i) for i, word in enumerate(words(500)))
    pattern = re.compile(r"(\w+)@(\w+)\.example, (\d+)")
    return sum(int(match.group(3)) for _ in range(rounds) for match in pattern.finditer(text))


def serialize(rounds):
    document = {word: {"name": word, "list": list(range(10)), "value": len(word) / 3} for word in words(200)}
    for _ in range(rounds):
        document = json.loads(json.dumps(document))
    return len(document)


def queens(side, row=0, columns=frozenset(), up=frozenset(), down=frozenset()):
    if row == side:
        return 1
    return sum(
        queens(side, row + 1, columns | {column}, up | {row + column}, down | {row - column})
        for column in range(side)
        if column not in columns and row + column not in up and row - column not in down
    )


def power(rounds):
    return sum(pow(3, 65537 + i, 2**1279 - 1) & 0xFFFF for i in range(rounds))


scale = float(sys.argv[1]) if len(sys.argv) > 1 else 1
print(simulate(int(40000 * scale)))
print(fibonacci(29) if scale >= 1 else fibonacci(18))
print(count_words(int(600000 * scale)))
print(search(int(1500 * scale)))
print(serialize(int(500 * scale)))
print(queens(8 if scale >= 1 else 5))
print(power(int(2000 * scale)))
