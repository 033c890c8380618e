"""The same program with a directory instead of a deployment, and what it cannot do there."""

from ivcap_client import IVCAP, LocalIVCAP
from ivcap_client.exception import NotInLocalMode

ivcap = IVCAP()  # neither IVCAP_URL nor IVCAP_BASE_URL is set
assert isinstance(ivcap, LocalIVCAP)
print(ivcap.base_dir.name, ivcap.url.startswith("file://"))

with IVCAP.local("study") as ivcap:
    with open("used.csv", "w") as file:
        file.write("x\n1\n")
    first, second = (ivcap.upload_artifact(file_path="used.csv") for _ in range(2))
    print(sorted(path.name for path in (ivcap.base_dir / "artifacts").iterdir()))
    print(first.id.startswith("urn:file:///"), first.urn.startswith("urn:ivcap:artifact:"))
    print(ivcap.get_artifact(first.id) == ivcap.get_artifact(first.urn))

    with first.as_local_file() as path:  # the file itself: nothing is copied, and nothing deleted
        print(path.name, path.exists())
    try:
        ivcap.search("deep(S) :- depth(S, D).")
    except NotInLocalMode as error:
        print(error.operation)
