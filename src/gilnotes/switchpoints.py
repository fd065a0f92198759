import sys
def may_switch_after(opname, callee="unknown", following=""):
    if sys.version_info < (3,10):
        return opname in ("LOAD_ATTR","INPLACE_ADD","STORE_ATTR","CALL_FUNCTION","CALL_METHOD","BINARY_ADD")
    return opname.startswith("CALL") and callee not in ("len",)
def callee_kind(value):
    return "len" if value is len else "c"
