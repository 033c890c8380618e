"""Sign in to the deployment in IVCAP_URL, once, and use that login from then on."""

import os
from pathlib import Path

from ivcap_client import IVCAP
from ivcap_client.login import LoginFile, OwnLogin, sign_in

url = os.environ["IVCAP_URL"]
keeper = LoginFile(Path("logins"), url)  # readable by you only

if keeper.load() is None:
    begun = sign_in(url)
    print(f"open {begun.address} and confirm {begun.user_code}")
    keeper.save(begun.wait())

with IVCAP(url, auth=OwnLogin(url, keeper)) as ivcap:
    services = list(ivcap.list_services(limit=None))
    print(f"{len(services)} services")
