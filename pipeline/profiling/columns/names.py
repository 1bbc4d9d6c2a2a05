"""The words of a column's name, and what they say of its values. Pure."""

import re

_WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+")

# Measures of a body, none of which is 0 in anybody who lives: some tables write 0 for "not known".
BODY_MEASURES = (
    *("glucose", "insulin", "cholesterol", "creatinine", "albumin", "hemoglobin", "haemoglobin"),
    *("triglyceride", "bloodpressure", "systolic", "diastolic", "restingbp", "skinthickness"),
    *("triceps", "bodymass", "bodyweight", "bodyheight", "heartrate", "pulse", "waist"),
)
SHORT_BODY_MEASURES = frozenset({"bmi", "bp", "sbp", "dbp", "hdl", "ldl", "height", "weight"})

IDS = frozenset({"id", "ids", "uuid", "guid"})
NUMBERINGS = frozenset({"no", "nr", "num", "number", "nummer"})
KEYS = IDS | NUMBERINGS | {"key", "code", "name", "hash"}
PEOPLE = frozenset(
    {
        *("account", "client", "customer", "device", "donor", "driver", "employee", "family"),
        *("household", "individual", "member", "participant", "patient", "person", "player"),
        *("respondent", "student", "subject", "user"),
    }
)
ADDRESSES = frozenset(
    {
        *("phone", "telephone", "telefon", "mobile", "fax", "iban", "ssn", "email", "ip", "mac"),
        *("isbn", "ean", "barcode", "vin", "passport"),
    }
)
CODES = frozenset(
    {
        *(
            "zip",
            "zipcode",
            "postal",
            "postcode",
            "postalcode",
            "plz",
            "cp",
            "icd",
            "fips",
            "naics",
        ),
        *("department", "dept", "region", "district", "county", "state", "province", "country"),
        *("branch", "store", "shop", "sector", "industry", "channel", "category", "type", "code"),
    }
)
COUNTS = frozenset({"num", "number", "count", "n", "total", "sum", "avg", "mean"})
CLOCKS = frozenset({"epoch", "unix", "unixtime", "timestamp"})


def name_words(name: str) -> set[str]:
    """Return the words of a name in small letters: those of `customerNumber` and `user_id`."""
    return set(_words(name))


def is_body_measure(name: str) -> bool:
    """True if a column is a measure of a body by its name."""
    letters = re.sub(r"[\W\d_]", "", name).lower()
    return bool(name_words(name) & SHORT_BODY_MEASURES) or any(
        measure in letters for measure in BODY_MEASURES
    )


def is_id(name: str) -> bool:
    """True if a name says that a column identifies something: `rowId`, `id_patient`, `userid`."""
    words = name_words(name)
    return bool(words & IDS) or any(word[:-2] in PEOPLE for word in words if word.endswith("id"))


def is_numbering(name: str) -> bool:
    """True if a name may be that of a number given to each thing: `order_no`, `phone`, `iban`."""
    words = _words(name)
    return bool(words) and (words[-1] in NUMBERINGS | {"key"} or bool({*words} & ADDRESSES))


def is_code(name: str) -> bool:
    """True if a name says that whole numbers name things: `zip`, `dept_code`, `region_id`."""
    words = _words(name)
    if not words or words[0] in COUNTS:
        return False
    things = [word for word in words if word not in KEYS]
    return words[-1] in IDS | {"code"} or (bool(things) and things[-1] in CODES)


def _words(name: str) -> list[str]:
    return [word.lower() for word in _WORD.findall(name)]
