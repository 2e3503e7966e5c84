"""What a damaged file makes its readers raise: a dozen kinds, as each of its layers is read by somebody else.

zipfile raises BadZipFile, NotImplementedError for another method or version and RuntimeError for a flag that says
encrypted; what unpacks raises errors of its own; numpy reads heads with Python's tokenizer and parser; h5py raises
KeyError and RuntimeError.
"""

import lzma
import struct
import tokenize
import zipfile
import zlib

DAMAGED = (
    OSError, ValueError, KeyError, EOFError, OverflowError, RuntimeError, SyntaxError,
    zipfile.BadZipFile, zlib.error, lzma.LZMAError, struct.error, tokenize.TokenError,
)  # fmt: skip
