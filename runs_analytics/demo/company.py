"""Who works at Northwind Outreach, an invented company: its projects, teams and the members that come and go.

All names are made up. Shares are relative weights; whoever uses them divides by their sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from runs_analytics.vocabulary import NONE

ZONE: Final = "Europe/Berlin"

PROJECTS: Final[dict[str, float]] = {
    "Outbound DACH": 26,
    "Outbound Nordics": 17,
    "Inbound routing": 14,
    "Account research": 12,
    "Content studio": 9,
    "Customer expansion": 7,
    "Event follow-up": 5,
    "Partner program": 4,
    "Data quality": 4,
    "Lab": 2,
}
"""Share of the runs by project, before members prefer their own."""

TEAMS: Final = ("Sales development", "Growth", "Marketing", "Customer success", "Data", "Engineering")


@dataclass(frozen=True, slots=True)
class Member:
    """A person whose runs are recorded, while they are with the company."""

    name: str
    team: str
    project: str
    """Where most of their runs belong."""

    share: float
    """How much they use compared with others; a few use much, most use little."""

    first_day: int = -100_000
    """First day of work, in days before the end of the sample as a negative number."""

    last_day: int = 0
    """Last day of work, counted the same way."""


STRUGGLING_MEMBER: Final = "Tobias Lindqvist"
SURGING_MEMBER: Final = "Ines Carvalho"
BATCHING_MEMBER: Final = "Kwame Boateng"
LONG_NAME: Final = "María de los Ángeles Fernández-Villanueva y Etxeberria-Goikoetxea von Hohenberg"
UNATTENDED: Final = Member(NONE, NONE, "Data quality", 4.0)
"""Runs of scheduled jobs, which have no member and no team."""

MEMBERS: Final = (
    Member("Amelie Brandt", "Sales development", "Outbound DACH", 22),
    Member("Jonas Richter", "Sales development", "Outbound DACH", 15),
    Member("Leyla Yıldız", "Sales development", "Outbound DACH", 11),
    Member(STRUGGLING_MEMBER, "Sales development", "Outbound Nordics", 9),
    Member("Freja Sørensen", "Sales development", "Outbound Nordics", 12),
    Member("Mikkel Aagaard", "Sales development", "Outbound Nordics", 6),
    Member("Oluwaseun Adeyemi", "Sales development", "Outbound DACH", 7, -140),
    Member("Katarzyna Wójcik", "Sales development", "Outbound DACH", 5, -100_000, -38),
    Member("Ben Okafor", "Sales development", "Event follow-up", 4),
    Member("Sofía Marín", "Sales development", "Outbound Nordics", 3, -95),
    Member("Lukas Vogt", "Sales development", "Outbound DACH", 3, -100_000, -121),
    Member("Aino Korhonen", "Sales development", "Outbound Nordics", 2.5, -61),
    Member("Dmytro Shevchenko", "Sales development", "Inbound routing", 2, -47),
    Member("Hannah Weiß", "Sales development", "Event follow-up", 1.5, -100_000, -84),
    Member(SURGING_MEMBER, "Growth", "Account research", 8),
    Member("Rahul Deshpande", "Growth", "Account research", 17),
    Member("Chloé Lefèvre", "Growth", "Inbound routing", 9),
    Member("Noah Steiner", "Growth", "Inbound routing", 6),
    Member("Ji-woo Park", "Growth", "Outbound DACH", 5),
    Member("Marta Kowalczyk", "Growth", "Partner program", 4),
    Member("Emeka Nwosu", "Growth", "Account research", 3, -118),
    Member("Viktor Hansen", "Growth", "Outbound Nordics", 2, -100_000, -66),
    Member("Priya Raman", "Growth", "Lab", 2),
    Member("Timo Albrecht", "Growth", "Partner program", 1, -30),
    Member("Elena Petrova", "Marketing", "Content studio", 10),
    Member("Giulia Ferraro", "Marketing", "Content studio", 7),
    Member("Sam O'Connor", "Marketing", "Event follow-up", 4),
    Member(LONG_NAME, "Marketing", "Content studio", 5),
    Member("Zoë van der Berg", "Marketing", "Content studio", 3),
    Member("Anton Kraus", "Marketing", "Event follow-up", 2, -100_000, -52),
    Member("Yuki Tanaka", "Marketing", "Content studio", 2, -105),
    Member("Clara Neumann", "Marketing", "Partner program", 1.5),
    Member("Pelle Nyström", "Marketing", "Content studio", 1, -73),
    Member("Ruth Abebe", "Marketing", "Event follow-up", 0.7, -19),
    Member("Daniel Ortega", "Customer success", "Customer expansion", 7),
    Member("Miriam Goldstein", "Customer success", "Customer expansion", 5),
    Member("Farah Haddad", "Customer success", "Customer expansion", 4),
    Member("Stefan Maurer", "Customer success", "Inbound routing", 3),
    Member("Linh Nguyen", "Customer success", "Customer expansion", 3, -132),
    Member("Ola Nordmann", "Customer success", "Partner program", 1.5, -100_000, -97),
    Member("Beatriz Almeida", "Customer success", "Customer expansion", 1.5),
    Member("Paul Zimmermann", "Customer success", "Event follow-up", 1),
    Member("Nadia Benali", "Customer success", "Customer expansion", 0.8, -41),
    Member(BATCHING_MEMBER, "Data", "Data quality", 6),
    Member("Ingrid Halvorsen", "Data", "Data quality", 5),
    Member("Mateusz Zieliński", "Data", "Account research", 4),
    Member("Aditi Kulkarni", "Data", "Data quality", 3, -110),
    Member("Florian Keller", "Data", "Lab", 1.5),
    Member("Cem Aydın", "Data", "Data quality", 1.2, -100_000, -29),
    Member("Laura Schmitz", "Data", "Account research", 1, -57),
    Member("Henrik Dahl", "Engineering", "Inbound routing", 5),
    Member("Xin Li", "Engineering", "Lab", 4),
    Member("Marco Bianchi", "Engineering", "Outbound DACH", 3),
    Member("Svenja Thiel", "Engineering", "Lab", 2.5),
    Member("Ibrahim Diallo", "Engineering", "Data quality", 2, -89),
    Member("Robin Ek", "Engineering", "Inbound routing", 1.5),
    Member("Tereza Nováková", "Engineering", "Lab", 1, -100_000, -110),
    Member("Gustav Blom", "Engineering", "Account research", 1, -68),
    Member("Asha Mwangi", "Engineering", "Lab", 0.6, -24),
    Member("J. D. Hall", "Engineering", "Lab", 0.4),
    UNATTENDED,
)

SOURCES: Final[dict[str, float]] = {"sdk-python": 52, "gateway": 31, "sdk-js": 17}

TAG_SETS: Final[dict[tuple[str, ...], float]] = {
    ("env=prod", "plan=scale", "region=eu-central"): 46,
    ("env=prod", "plan=scale", "region=eu-north"): 19,
    ("env=prod", "plan=scale", "region=us-east"): 8,
    ("env=prod", "plan=starter", "region=eu-central"): 12,
    ("env=prod", "region=eu-central"): 5,
    ("env=staging", "region=eu-central"): 6,
    ("env=staging",): 1,
    (): 3,
}
"""Tags that a run may carry, sorted, by share."""
