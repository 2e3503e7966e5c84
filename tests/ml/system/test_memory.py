"""What a process keeps of the memory that it no longer needs."""

import gc
import subprocess
import sys
import textwrap

import numpy as np
import psutil
import pytest

from ml.system import memory


@pytest.fixture
def collecting():
    """Garbage is collected as before when the test is over, and looked for everywhere again."""
    yield
    gc.enable()
    gc.unfreeze()


def test_nothing_is_collected_while_modules_are_loaded(collecting):
    with memory.gc_paused():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    with memory.gc_paused():
        pass
    assert not gc.isenabled(), "whoever had turned it off wants it off"


def test_what_fails_to_load_leaves_the_collector_on(collecting):
    with pytest.raises(ImportError), memory.gc_paused():
        raise ImportError
    assert gc.isenabled()


def test_free_memory_goes_back(collecting):
    process = psutil.Process()
    small = [np.ones(5_000) for _ in range(2_000)]  # 80 MB in pieces too small for pages of their own
    pin = np.ones(5_000)  # above them all: without it they would go back by themselves
    full = process.memory_info().rss
    del small
    memory.settle()
    assert full - process.memory_info().rss > 60e6
    assert pin.all()
    assert gc.get_freeze_count() > 10_000


def test_parquet_is_read_and_written_without_the_file_systems_of_clouds(tmp_path):
    code = """
        import sys
        from ml.system import memory
        memory.leave_out_clouds()
        import pandas as pd
        frame = pd.DataFrame({"a": [1, 2]})
        frame.to_parquet(sys.argv[1])
        assert pd.read_parquet(sys.argv[1]).equals(frame)
        print(*(name for name in sys.modules if name.startswith("pyarrow.") and sys.modules[name] is not None))
        """
    command = [sys.executable, "-c", textwrap.dedent(code), str(tmp_path / "some.parquet")]
    loaded = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert "pyarrow._parquet" in loaded
    assert not {"pyarrow._s3fs", "pyarrow._gcsfs", "pyarrow._azurefs", "pyarrow._hdfs"} & {*loaded}


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux says what is in memory")
def test_code_that_only_loading_has_read_goes_back_and_runs_on():
    code = """
        import numpy as np
        import psutil
        import pyarrow.parquet
        from ml.system import memory
        inverse = np.linalg.inv(np.eye(50) * 2)
        before = psutil.Process().memory_info()
        memory.unread()
        after = psutil.Process().memory_info()
        assert np.array_equal(np.linalg.inv(np.eye(50) * 2), inverse)
        print(before.rss - after.rss, before.shared - after.shared)
        """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert min(map(int, said)) > 10e6


def test_the_tables_of_jobs_load_the_dialect_of_their_database_alone():
    code = """
        import sys
        from sqlalchemy.schema import CreateIndex
        from ml.jobs import tables
        assert "sqlalchemy.dialects.postgresql" not in sys.modules
        from sqlalchemy.dialects import postgresql, sqlite
        for dialect in (sqlite.dialect(), postgresql.dialect()):
            for index in tables._schema_1(dialect.name)[0].indexes:
                print(" WHERE " in str(CreateIndex(index).compile(dialect=dialect)))
        """
    command = [sys.executable, "-c", textwrap.dedent(code)]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()
    assert said == ["True"] * 4
