"""Where links lead: the address under which people reach the service."""

from ipaddress import ip_address

from api.certificates import lan_addresses
from api.settings import Settings, SettingsError

THIS_MACHINE = frozenset({"127.0.0.1", "localhost"})


def public_address(settings: Settings, *, port: int) -> str:
    """HEYAN_PUBLIC_URL, or one made from host and port; without a slash at the end.

    Raises:
        SettingsError: `setting_invalid`, HEYAN_PUBLIC_URL is missing where only the operator can know it.
    """
    if settings.public_url is not None:
        return settings.public_url
    host = settings.host
    if for_local_network(settings):
        host = next(iter(lan_addresses()), "localhost")
    elif everywhere(host):
        message = (
            "HEYAN_PUBLIC_URL is needed where HEYAN_HOST is every address of the machine, for no link leads to such a "
            "host. It is the address under which people reach the service, such as https://verify.example; to try "
            "it out on this machine, http://localhost and the port"
        )
        raise SettingsError("setting_invalid", message)
    return f"{'https' if settings.tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"


def for_local_network(settings: Settings) -> bool:
    """With TLS of our own a host that names no other machine means the local network: that is what it is for."""
    return settings.tls and (settings.host in THIS_MACHINE or everywhere(settings.host))


def everywhere(host: str) -> bool:
    """Whether a host to listen on stands for all addresses of the machine: `0.0.0.0`, `::`, or none."""
    try:
        return not host or ip_address(host).is_unspecified
    except ValueError:
        return False
