"""Without the file of keys that should be there nobody is admitted, and no key is lost by adding several."""

import subprocess
import sys
from pathlib import Path

import bundles
import httpx
import pytest
from processes import environment, service

from serving.access import guard, keys
from serving.access.guard import Keyring

ADD = "import sys; from pathlib import Path; from serving.access import keys\n"
ADD += "for number in range(10): keys.add(Path(sys.argv[1]), f'{sys.argv[2]}-{number}', 'read')"


def test_a_configured_file_that_is_missing_admits_nobody_until_it_is_there(tmp_path: Path) -> None:
    file = tmp_path / "secrets" / "keys"
    with service(tmp_path, keys_file=file) as up:
        assert httpx.get(f"{up.url}/v1/popular").status_code == 401
        assert "NIGHTSHELF_KEYS_FILE" in up.log.read_text()
        headers = {"Authorization": f"Bearer {keys.add(file, 'shop', 'read')}"}
        bundles.wait_until(lambda: httpx.get(f"{up.url}/v1/popular", headers=headers).status_code == 503, 10)
        assert httpx.get(f"{up.url}/v1/popular").status_code == 401


def test_a_file_that_was_removed_while_the_service_was_down_admits_nobody(tmp_path: Path) -> None:
    keys.add(tmp_path / "keys", "shop", "read")
    (tmp_path / "keys").unlink()
    with service(tmp_path) as up:
        assert httpx.get(f"{up.url}/v1/popular").status_code == 401
        assert "delete" in up.log.read_text()


@pytest.mark.fast
@pytest.mark.parametrize("is_placed_by_hand", [True, False])
def test_a_file_that_is_gone_admits_nobody_at_the_next_start(
    tmp_path: Path, is_placed_by_hand: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guard, "CHECK_SECONDS", 0)
    file = tmp_path / "keys"
    if is_placed_by_hand:
        file.write_text(f"shop read {'0' * 64}\n")
        assert Keyring(file).keys  # the service has seen it
    else:
        keys.add(file, "shop", "read")
    file.unlink()
    assert Keyring(file).keys == []
    assert Keyring(tmp_path / "other").keys is None


@pytest.mark.fast
@pytest.mark.parametrize("is_folder", [True, False])
def test_a_file_that_cannot_be_read_admits_nobody(tmp_path: Path, is_folder: bool) -> None:
    file = tmp_path / "keys"
    if is_folder:
        file.mkdir()
    else:
        (tmp_path / "file").write_text("")
        file = tmp_path / "file" / "keys"  # its folder is none
    assert Keyring(file).keys == []


def test_processes_that_add_keys_at_once_lose_none(tmp_path: Path) -> None:
    file, env = tmp_path / "keys", environment(tmp_path)
    writers = [
        subprocess.Popen([sys.executable, "-c", ADD, str(file), str(number)], env=env) for number in range(4)
    ]
    assert [writer.wait(120) for writer in writers] == [0] * 4
    assert len(keys.load(file)) == 40
    assert oct(file.stat().st_mode & 0o777) == oct(0o600)
