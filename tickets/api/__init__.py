"""The REST API, `/api/v1/`: the operations and visible rows for programs, under the predecessor's paths and names.

Each view reads its input strictly, calls one operation and answers. JSON names are camelCase; times are ISO 8601 in
UTC; every refusal is problem details (RFC 9457).
"""
