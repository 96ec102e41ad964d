"""Bring runs in: from a file here, on the command line, over HTTP; and see what came in."""

import streamlit as st

from runs_analytics.ui import data_accounts, data_importing, data_past, data_sending
from runs_analytics.ui.session import current

session = current()
with st.container(horizontal=True, vertical_alignment="center", gap="small"):
    st.title("Data", anchor=False, width="content")
    st.space("stretch")
    data_accounts.new_account(session)
st.caption(f"{session.account.name} · {session.account.zone} · {session.account.currency}")
data_accounts.sample_note(session)

file, past, sending = st.tabs(["Import a file", "Past imports", "Send over HTTP"])
with file:
    data_importing.import_file(session)
with past:
    data_past.past_imports(session)
with sending:
    data_sending.sending(session)
