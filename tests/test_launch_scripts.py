"""The scripts that start long jobs: what they start, where, and what their exit status brings about."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.checkouts import SETUP, Checkout
from tests.conftest import REPOSITORY, SmallWorld
from tests.faults.jobs import Run
from tests.tasks.jobs import job, write_job

SCRIPTS = REPOSITORY / "run_scripts"
LAUNCH, SLURM = "run_scripts/launch_multi_node.sh", "run_scripts/cluster/slurm.sh"
ABLATION = "run_scripts/ablation_shapes.sh"
VARIANTS = [f"{name}-seed{seed}" for seed in (1, 2, 3) for name in ("full", "random_captions", "without_cmcl")]
VARIANTS += [f"without_{part}-seed1" for part in ("retrieval", "texts", "images")] + ["any_positive-seed1"]
NEEDED = (
    "ablation_shapes.sh",
    "folders.sh",
    "launch_multi_node.sh",
    "pretrain_base.sh",
    "pretrain_large.sh",
    "remedies_shapes.sh",
    "shapes_stages.sh",
    "cluster/slurm.sh",
)
# srun runs its command once a node, one after the other, and gives back the highest status
SRUN = """#!/bin/bash
while [ "${1#--}" != "$1" ]; do echo "srun $1" >> "$FAKE_LOG"; shift; done
worst=0
for ((node = 0; node < SLURM_NNODES; node++)); do
    SLURM_NODEID=$node "$@" || { status=$?; if [ $status -gt $worst ]; then worst=$status; fi; }
done
exit $worst
"""
SCONTROL = """#!/bin/bash
if [ "$1" = show ]; then printf '%s\\n' first second; else echo "scontrol $*" >> "$FAKE_LOG"; fi
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    """The scripts beside a config, with an environment that only pretends, a folder of data, and Slurm's programs."""
    made = Checkout(tmp_path)
    for name in NEEDED:
        (made.root / "run_scripts" / name).parent.mkdir(exist_ok=True)
        shutil.copy(SCRIPTS / name, made.root / "run_scripts" / name)
    (made.root / "job.yaml").write_text("task: pretraining\n")
    (tmp_path / "data").mkdir()
    for name, text in {"srun": SRUN, "scontrol": SCONTROL}.items():
        (made.bin / name).write_text(text)
        (made.bin / name).chmod(0o755)
    made.interpreter()
    assert made.run(SETUP).returncode == 0
    made.logged()
    return made


def flags_of(line: str) -> dict[str, str]:
    """`python -m unimo VERB --a b` -> {a: b}; a flag without a value has none."""
    assert line.startswith("python -m unimo ")
    flags = line.partition(" --")[2].split(" --")
    return {name: value for name, _, value in (flag.partition(" ") for flag in flags)}


@pytest.mark.parametrize("script", sorted(str(each.relative_to(SCRIPTS)) for each in SCRIPTS.rglob("*.sh")))
def test_every_script_is_proper_bash(script: str) -> None:
    subprocess.run(["bash", "-n", str(SCRIPTS / script)], check=True)


@pytest.mark.parametrize("size", ["base", "large"])
def test_pre_training_reads_below_its_folder_and_is_started_again(checkout: Checkout, size: str) -> None:
    found = checkout.run(f"run_scripts/pretrain_{size}.sh", "data", "out", "--training.seed", "3", DEVICES="2")
    assert found.returncode == 0, found.stderr
    [line] = checkout.logged()
    flags = flags_of(line)
    assert flags["config"] == f"{checkout.root}/model_configs/pretrain/{size}.yaml"
    assert (flags["devices"], flags["max_restarts"], flags["training.seed"]) == ("2", "10", "3")
    assert (flags["resume"], flags["output"]) == ("", f"{checkout.root.parent}/out")


@pytest.mark.parametrize(
    "script", ["pretrain_base.sh", "launch_multi_node.sh", "ablation_shapes.sh", "remedies_shapes.sh"]
)
def test_too_few_arguments_print_the_usage_of_the_script(script: str) -> None:
    found = subprocess.run(["bash", str(SCRIPTS / script)], capture_output=True, text=True)
    assert found.returncode == 2
    assert found.stderr.startswith("usage: ") and script in found.stderr and len(found.stderr.splitlines()) == 1


def test_an_ablation_shares_first_stages_and_leaves_out_what_is_done(checkout: Checkout) -> None:
    output = checkout.root.parent / "out"
    trained_before = ["full-seed2", "reading-seed3", "relations-seed3"]
    for name in trained_before:
        (output / name).mkdir(parents=True)
        (output / name / "report.json").touch()
    (output / "full-seed2" / "negatives.json").touch()
    found = checkout.run(ABLATION, "data", "out", "--training.num_steps", "5", JOBS="2", FAKE_REPORTS="1")
    assert found.returncode == 0, found.stderr
    lines = [line.removesuffix(" with OMP_NUM_THREADS=1") for line in checkout.logged()]
    assert lines[-1] == f"python -m unimo ablation --runs {output} --json {output}/ablation.json"
    trained = [flags_of(line) for line in lines if " train " in line]
    shared = {f"{stage}-seed{seed}" for stage in ("reading", "relations") for seed in (1, 2)}
    assert {Path(flags["output"]).name for flags in trained[:2]} == {"reading-seed1", "reading-seed2"}
    runs = {Path(flags["output"]).name: flags for flags in trained}
    assert set(runs) == shared | set(VARIANTS) - {"full-seed2"}
    assert runs["relations-seed2"]["init_from"] == f"{output}/reading-seed2/checkpoints/latest"
    flags = runs["random_captions-seed3"]
    assert (flags["init_from"], flags["training.seed"]) == (f"{output}/relations-seed3/checkpoints/latest", "3")
    assert (flags["options.contrastive.counts.rewrites"], flags["training.num_steps"]) == ("0", "5")
    assert "training.num_steps" not in runs["reading-seed1"]
    scored = [Path(flags_of(line)["json"]).parent.name for line in lines if "evaluate-negatives" in line]
    assert sorted(scored) == sorted({*runs, *trained_before} - {"full-seed2"})


def test_remedies_change_one_thing_and_keep_curves(checkout: Checkout) -> None:
    output = checkout.root.parent / "out"
    for step in ("00000450", "00001800"):
        (output / "reading-seed1" / "checkpoints" / f"step-{step}").mkdir(parents=True)
    found = checkout.run("run_scripts/remedies_shapes.sh", "data", "out", "--log", "1", JOBS="2")
    assert found.returncode == 0, found.stderr
    lines = [line.removesuffix(" with OMP_NUM_THREADS=1") for line in checkout.logged()]
    assert lines[-1] == f"python -m unimo ablation --runs {output} --json {output}/remedies.json"
    trained = [flags_of(line) for line in lines if " train " in line]
    runs = {Path(flags["output"]).name.removesuffix("-seed1"): flags for flags in trained}
    assert all(
        flags.get("log", "") == ("" if name in ("reading", "relations") else "1") for name, flags in runs.items()
    )
    two_stages = {"spans", "plain_locations", "small_weights"}
    one_stage = {"from_the_start", "mostly_relations", "longer", "negatives_at_once"}
    assert set(runs) == two_stages | {f"reading_{name}" for name in two_stages} | one_stage | {"reading", "relations"}
    shared = {"config", "resume", "devices", "output", "tokenizer", "data.regions", "training.seed", "options.pairs"}
    shared |= {"options.contrastive.augmented", "log"}
    changed = {name: set(flags) - shared for name, flags in runs.items()}
    assert changed["reading"] == set() and changed["relations"] == changed["spans"] == {"init_from"}
    assert changed["reading_plain_locations"] == {"arch.location_frequencies"}
    assert runs["longer"]["init_from"] == f"{output}/from_the_start-seed1/checkpoints/latest"
    on_the_way = [flags_of(line)["json"] for line in lines if "captions_per_image" in line]
    assert on_the_way == [f"{output}/reading-seed1/negatives-at-{step}.json" for step in (450, 1800)]


def test_a_run_of_an_ablation_that_fails_ends_it(checkout: Checkout) -> None:
    found = checkout.run(ABLATION, "data", "out", JOBS="1", FAKE_FAIL="random_captions-seed1", FAKE_REPORTS="1")
    assert found.returncode == 1
    assert "random_captions-seed1 failed" in found.stderr and f"{checkout.root.parent}/out" in found.stderr
    assert not any(" ablation " in line or "full-seed2" in line for line in checkout.logged())


def test_a_node_is_told_its_number_its_master_and_its_folders(checkout: Checkout) -> None:
    config = "a house/job.yaml"  # as the caller sees it
    found = checkout.run(LAUNCH, "4", "first:29500", "8", config, "data", "--training.seed", "3", NODE_RANK="2")
    assert found.returncode == 0, found.stderr
    flags = flags_of(checkout.logged()[0])
    assert flags["config"] == f"{checkout.root}/job.yaml"
    assert (flags["nodes"], flags["master"], flags["node_rank"]) == ("4", "first:29500", "2")
    assert (flags["devices"], flags["max_restarts"], flags["training.seed"]) == ("8", "10", "3")
    assert flags["output"] == f"{checkout.root.parent}/runs/job"


@pytest.mark.parametrize("missing", ["absent.yaml data", "a_house/job.yaml absent"])
def test_a_missing_config_or_folder_is_a_mistake_in_what_was_given(checkout: Checkout, missing: str) -> None:
    arguments = [each.replace("_", " ") for each in missing.split()]
    found = checkout.run(LAUNCH, "2", "first:29500", "1", *arguments)
    assert found.returncode == 2 and "No such file or directory" in found.stderr
    assert checkout.logged() == []


@pytest.mark.parametrize(("status", "again"), [(0, False), (2, False), (75, True)])
def test_slurm_starts_every_node_and_requeues_a_run_that_saved(checkout: Checkout, status: int, again: bool) -> None:
    slurm = {"SLURM_NNODES": "2", "SLURM_JOB_NODELIST": "x", "SLURM_JOB_ID": "7", "SLURM_GPUS_ON_NODE": "4"}
    end = {"FAKE_FAIL": "-m unimo", "FAKE_STATUS": str(status)} if status else {}
    data = str(checkout.root.parent / "data")
    slurm["SLURM_CPUS_PER_TASK"] = "7"
    found = checkout.run(SLURM, "job.yaml", data, "/runs/a", **slurm, SLURM_SUBMIT_DIR=str(checkout.root), **end)
    assert found.returncode == status, found.stderr
    lines = checkout.logged()
    assert [line for line in lines if line.startswith("srun ")] == [
        "srun --kill-on-bad-exit=0",
        "srun --cpus-per-task=7",
    ]
    installed = [line for line in lines if " -r " in line]
    assert len(installed) == 1 and installed[0].endswith("/requirements-gpu.txt")
    *nodes, last = [*[line for line in lines if "-m unimo" in line or line.startswith("scontrol")], ""]
    if again:
        nodes, last = nodes[:-1], nodes[-1]
    assert last == ("scontrol requeue 7" if again else "")
    assert [flags_of(line)["node_rank"] for line in nodes] == ["0", "1"]
    flags = flags_of(nodes[0])
    assert (flags["nodes"], flags["master"], flags["devices"]) == ("2", "first:29500", "4")
    assert (flags["max_restarts"], flags["output"]) == ("20", "/runs/a")


def test_the_kubernetes_job_mounts_what_it_names_and_knows_the_exit_statuses() -> None:
    service, manifest = yaml.safe_load_all((SCRIPTS / "cluster" / "kubernetes.yaml").read_text())
    spec, pod = manifest["spec"], manifest["spec"]["template"]["spec"]
    [container] = pod["containers"]
    name = manifest["metadata"]["name"]
    assert service["metadata"]["name"] == pod["subdomain"] == name
    assert service["spec"]["selector"] == {"job-name": name}
    assert spec["completions"] == spec["parallelism"]
    [command] = container["args"]
    nodes, master, _, config, data, output = command.partition("launch_multi_node.sh ")[2].split()
    assert (int(nodes), master) == (spec["completions"], f"{name}-0.{name}:29500")
    assert (REPOSITORY / config).is_file()
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    claims = {volume["name"]: volume.get("persistentVolumeClaim") for volume in pod["volumes"]}
    assert mounts[data]["readOnly"] and claims[mounts[data]["name"]]["claimName"] == "corpus"
    written = mounts[str(Path(output).parent)]
    assert not written.get("readOnly") and claims[written["name"]]["claimName"] == "runs"
    assert {mount["name"] for mount in mounts.values()} == set(claims)
    assert pod["restartPolicy"] == "Never"  # Kubernetes refuses a podFailurePolicy with any other
    assert actions_of(spec["podFailurePolicy"], container["name"]) == {2: "FailJob", 75: "Ignore"}
    assert {"name": "MAX_RESTARTS", "value": "20"} in container["env"]
    assert {"name": "REQUIREMENTS", "value": "requirements-gpu.txt"} in container["env"]


def actions_of(policy: dict[str, Any], container: str) -> dict[int, str]:
    """Exit status -> what Kubernetes does."""
    rules = [(rule["action"], rule["onExitCodes"]) for rule in policy["rules"] if "onExitCodes" in rule]
    assert all(codes["containerName"] == container and codes["operator"] == "In" for _, codes in rules)
    return {status: action for action, codes in rules for status in codes["values"]}


@pytest.mark.slow
@pytest.mark.multiprocess
def test_two_nodes_train_together_in_a_folder_of_data(small_world: SmallWorld, tmp_path: Path) -> None:
    scripts = tmp_path / "run_scripts"
    scripts.mkdir()
    for name in ("folders.sh", "launch_multi_node.sh"):
        shutil.copy(SCRIPTS / name, scripts / name)
    (scripts / "setup_env.sh").write_text("")  # the tests' own environment
    values = job(small_world, "pretraining", tmp_path / "elsewhere")
    values["options"]["texts"] = ["world/texts_train.jsonl"]  # below the folder of data
    config = write_job(tmp_path / "tiny.yaml", values)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        master = f"127.0.0.1:{found.getsockname()[1]}"
    command = [
        "bash",
        "run_scripts/launch_multi_node.sh",
        "2",
        master,
        "1",
        str(config),
        str(small_world.folder),
        "run",
    ]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    environment = {**os.environ, "PATH": path, "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1"}
    nodes = [
        subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        for _ in range(2)
    ]
    for node in nodes:
        output, _ = node.communicate(timeout=240)
        assert node.returncode == 0, output.decode()
    run = Run(config, tmp_path / "run")
    assert {event["event"] for event in run.events()} == {"started", "finished"}
    assert json.loads((run.folder / "report.json").read_text())["steps"] == 6
