"""What the faults are collected in, and what several of them do."""

FAULTS = {}


def fault(make):
    """A function that puts one fault into a repository, under its own name."""
    FAULTS[make.__name__] = make
    return make


def faults(**made):
    """Several of them."""
    FAULTS.update(made)


def replace(old, new):
    """Changes bytes, at the first place."""
    def change(content):
        assert old in content, old
        return content.replace(old, new, 1)
    return change


def replace_last(old, new):
    """Changes bytes, at the last place."""
    def change(content):
        before, found, after = content.rpartition(old)
        assert found, old
        return before + new + after
    return change
