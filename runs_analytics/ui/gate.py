"""Who may see the pages: until there is a sign-in, whoever sits at the machine that serves them."""

from __future__ import annotations

import ipaddress

import streamlit as st

from runs_analytics.errors import NotAllowed


def require_this_machine() -> None:
    """End the page for a browser on another machine.

    Raises:
        NotAllowed: saying how to reach the pages instead.
    """
    address = st.context.ip_address
    if not is_this_machine(address):
        raise NotAllowed(
            f"These pages are served to the machine they run on, and you come from {address}. Open them there, or "
            "through a tunnel such as ssh -L 8501:127.0.0.1:8501."
        )


def is_this_machine(address: str | None) -> bool:
    """Whether an IP address is a loopback one; Streamlit gives None for a browser on its own machine."""
    if address is None:
        return True
    parsed = ipaddress.ip_address(address)
    mapped = parsed.ipv4_mapped if isinstance(parsed, ipaddress.IPv6Address) else None
    return (mapped or parsed).is_loopback
