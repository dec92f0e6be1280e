"""The query types by name. Importing this module makes `compile_query` know them."""

from __future__ import annotations

from quidditch.query.compiler import QUERIES
from quidditch.query.dsl.boolean import bool_query
from quidditch.query.dsl.boosting import boosting
from quidditch.query.dsl.constant_score import constant_score
from quidditch.query.dsl.dis_max import dis_max
from quidditch.query.dsl.exists import exists
from quidditch.query.dsl.function_score import function_score
from quidditch.query.dsl.fuzzy import fuzzy
from quidditch.query.dsl.ids import ids
from quidditch.query.dsl.match import match
from quidditch.query.dsl.match_all import match_all, match_none
from quidditch.query.dsl.match_bool_prefix import match_bool_prefix
from quidditch.query.dsl.match_phrase import match_phrase, match_phrase_prefix
from quidditch.query.dsl.multi_match import multi_match
from quidditch.query.dsl.nested import nested
from quidditch.query.dsl.prefix import prefix
from quidditch.query.dsl.query_string import query_string
from quidditch.query.dsl.range import range_query
from quidditch.query.dsl.regexp import regexp
from quidditch.query.dsl.simple_query_string import simple_query_string
from quidditch.query.dsl.term import term
from quidditch.query.dsl.terms import terms
from quidditch.query.dsl.wildcard import wildcard
from quidditch.query.dsl.wrapper import wrapper

QUERIES.update(
    {
        "bool": bool_query,
        "boosting": boosting,
        "constant_score": constant_score,
        "dis_max": dis_max,
        "exists": exists,
        "function_score": function_score,
        "fuzzy": fuzzy,
        "ids": ids,
        "match": match,
        "match_all": match_all,
        "match_bool_prefix": match_bool_prefix,
        "match_none": match_none,
        "match_phrase": match_phrase,
        "match_phrase_prefix": match_phrase_prefix,
        "multi_match": multi_match,
        "nested": nested,
        "prefix": prefix,
        "query_string": query_string,
        "range": range_query,
        "regexp": regexp,
        "simple_query_string": simple_query_string,
        "term": term,
        "terms": terms,
        "wildcard": wildcard,
        "wrapper": wrapper,
    }
)
