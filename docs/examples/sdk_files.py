"""Artifacts as files: read in places, packed and unpacked, and files that are no artifacts yet."""

from pathlib import Path

from ivcap_client import LocalIVCAP, TarMember

Path("depths.csv").write_text("site,depth_m\nA,12\nB,40\n")

with LocalIVCAP("study") as ivcap:
    stored = ivcap.upload_artifact(file_path="depths.csv")
    with stored.open() as file:  # of a deployment's artifact just what is read is fetched
        file.seek(13)
        print(file.readline())

    members = [TarMember.from_file("depths.csv"), TarMember.from_bytes(b"{}", "meta/about.json")]
    archive = ivcap.upload_tar_artifact(members, name="study.tar.gz")
    unpacked = archive.untar("unpacked")
    print(sorted(path.relative_to(unpacked).as_posix() for path in unpacked.rglob("*.*")))

    here = ivcap.get_artifact(f"file://{Path('depths.csv').absolute()}")
    inline = ivcap.get_artifact("data:text/plain,hello")
    print(here.mime_type, here.size, inline.as_bytes())
    print(archive.is_tar_file, inline.as_data_url())
