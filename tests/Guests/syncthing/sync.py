"""One of two Syncthing instances that sync a folder: 1,000 files, then a rename, a delete and a conflict.

usage: sync.py ROLE ADDRESS PEER_ADDRESS MEETING [COUNT]     ROLE: one or two; MEETING: a directory that both see

Each instance knows what its folder must hold after each step; it says so, or says what differs."""
import hashlib, os, re, subprocess, sys, time, urllib.request, xml.etree.ElementTree as tree

ROLE, ADDRESS, PEER_ADDRESS, MEETING = sys.argv[1:5]
COUNT = int(sys.argv[5]) if len(sys.argv) > 5 else 1000
PEER = "two" if ROLE == "one" else "one"
GUI = "127.0.0.1:18384" if ROLE == "one" else "127.0.0.1:18385"
HOME, FOLDER, LOG = f"{ROLE}/home", f"{ROLE}/folder", f"{ROLE}/log"
PATIENCE = 200


def until(condition):
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        try:
            if condition():
                return True
        except OSError:
            pass
        time.sleep(0.1)
    return False


def tell(what, text=""):
    with open(f"{MEETING}/{what}.{ROLE}.new", "w") as file:
        file.write(text)
    os.rename(file.name, f"{MEETING}/{what}.{ROLE}")


def hear(what):
    until(lambda: os.path.exists(f"{MEETING}/{what}.{PEER}"))
    with open(f"{MEETING}/{what}.{PEER}") as file:
        return file.read()


def meet(what):
    tell(what)
    hear(what)


def syncthing(*words):
    return subprocess.run(["syncthing", *words], check=True, capture_output=True, text=True).stdout.strip()


def configure(own, peer):
    """Returns the key of the instance's own interface."""
    path = f"{HOME}/config.xml"
    document = tree.parse(path)
    root = document.getroot()
    options = root.find("options")
    for name, value in {"listenAddress": f"tcp://{ADDRESS}", "globalAnnounceEnabled": "false", "localAnnounceEnabled": "false", "relaysEnabled": "false",
                        "natEnabled": "false", "crashReportingEnabled": "false", "urAccepted": "-1", "autoUpgradeIntervalH": "0", "reconnectionIntervalS": "1"}.items():
        for old in options.findall(name):
            options.remove(old)
        tree.SubElement(options, name).text = value
    root.find("gui/address").text = GUI
    device = tree.SubElement(root, "device", id=peer, name=PEER, compression="metadata")
    tree.SubElement(device, "address").text = f"tcp://{PEER_ADDRESS}"
    folder = tree.SubElement(root, "folder", id="shared", label="shared", path=os.path.abspath(FOLDER), type="sendreceive", rescanIntervalS="3600", fsWatcherEnabled="false")
    tree.SubElement(folder, "maxConflicts").text = "10"
    for device in (own, peer):
        tree.SubElement(folder, "device", id=device)
    document.write(path)
    return root.find("gui/apikey").text


def start():
    log = open(LOG, "a")
    return subprocess.Popen(["syncthing", "serve", "--no-browser", "--no-restart", "--home", HOME, "--logflags=0"], stdout=log, stderr=log)


def stop(process):
    process.terminate()
    return process.wait()


def scan(key):
    request = urllib.request.Request(f"http://{GUI}/rest/db/scan?folder=shared", data=b"", headers={"X-API-Key": key})
    until(lambda: urllib.request.urlopen(request, timeout=60).read() is not None)


def write(name, text, age=0):
    path = f"{FOLDER}/{name}"
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w") as file:
        file.write(text)
    os.utime(path, (1_700_000_000 - age,) * 2)


def content():
    found = {}
    for folder, _, files in os.walk(FOLDER):
        for name in files:
            if ".stfolder" not in folder and not name.startswith((".syncthing", "~syncthing")):
                with open(os.path.join(folder, name)) as file:
                    found[re.sub(r"\d{8}-\d{6}-[A-Z0-9]{7}", "WHEN", os.path.relpath(file.name, FOLDER))] = file.read()
    return found


def expect(what, expected):
    if until(lambda: content() == expected):
        print(ROLE, what, len(expected), hashlib.sha256(repr(sorted(expected.items())).encode()).hexdigest(), flush=True)
        return
    found = content()
    print(ROLE, what, "missing", sorted(expected.keys() - found.keys())[:5], "surplus", sorted(found.keys() - expected.keys())[:5], flush=True)


def main():
    os.makedirs(FOLDER)
    syncthing("generate", "--home", HOME, "--no-default-folder", "--skip-port-probing")
    own = syncthing("--home", HOME, "--device-id")
    tell("id", own)
    key = configure(own, hear("id"))
    files = {f"{i % 10}/file{i}": f"content {i}\n" * (i % 50) for i in range(COUNT)}
    if ROLE == "one":
        for name, text in files.items():
            write(name, text)
    process = start()
    expect("files", files)
    meet("files")

    if ROLE == "one":
        os.rename(f"{FOLDER}/0/file0", f"{FOLDER}/1/renamed")
    else:
        os.remove(f"{FOLDER}/1/file1")
    scan(key)
    files["1/renamed"] = files.pop("0/file0")
    del files["1/file1"]
    expect("renamed and deleted", files)
    meet("renamed")

    if ROLE == "two":
        stop(process)
    meet("apart")
    write("2/file2", f"changed by {ROLE}\n", age=100 if ROLE == "one" else 50)
    if ROLE == "one":
        scan(key)
    meet("changed")
    if ROLE == "two":
        process = start()
    files["2/file2"], files["2/file2.sync-conflict-WHEN"] = "changed by two\n", "changed by one\n"
    expect("conflict", files)
    meet("end")
    print(ROLE, "ended with", stop(process), [line for line in open(LOG) if "WARNING" in line and "privileged" not in line])


main()
