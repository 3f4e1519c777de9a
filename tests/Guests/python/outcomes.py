"""Runs a module of Python's own tests and prints each test's outcome, in order of its name.

usage: outcomes.py MODULE [WORD...]     leaves out tests whose name has one of the words"""
import io, os, sys, unittest

sys.path.insert(0, os.getcwd())
output, sys.stdout = os.dup(1), io.StringIO()


class Outcomes(unittest.TestResult):
    def __init__(self):
        super().__init__()
        self.lines, self.details = [], []

    def note(self, test, outcome):
        self.lines.append(f"{test.id()} {outcome}")

    def addSuccess(self, test):
        self.note(test, "ok")

    def addSkip(self, test, reason):
        self.note(test, f"skipped: {reason}")

    def addFailure(self, test, error):
        self.note(test, "failed")
        self.details.append(self._exc_info_to_string(error, test))

    def addError(self, test, error):
        self.note(test, "error")
        self.details.append(self._exc_info_to_string(error, test))

    def addSubTest(self, test, subtest, error):
        if error is not None:
            self.addError(subtest, error)


def chosen(tests):
    for test in tests:
        if isinstance(test, unittest.TestSuite):
            yield unittest.TestSuite(chosen(test))
        elif not any(word in test.id() for word in sys.argv[2:]):
            yield test


outcomes = Outcomes()
unittest.TestSuite(chosen(unittest.defaultTestLoader.loadTestsFromName(f"test.{sys.argv[1]}"))).run(outcomes)
with os.fdopen(output, "w") as out:
    for line in sorted(outcomes.lines):
        print(line, file=out)
    for detail in outcomes.details:
        print(detail, file=out)
os._exit(0)
