import secrets

# Without letters and digits that look alike: these passwords are read aloud and typed over.
ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"
GROUPS = 4
GROUP_LENGTH = 4


def new_password() -> str:
    """A random password of four groups of four characters, about 79 bits, such as `k7mq-x2fd-9wpe-rt4n`."""
    return "-".join("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
