"""Writes and reads the message org.example.Reading with confluent-kafka's serializers.

    URL _ TOPIC write         registers exchange.proto and prints messages, a line of hexadecimal digits each
    URL _ TOPIC read          reads the messages of messages.txt and prints each as JSON, a line each
    URL _ TOPIC write-header  as write, in the header form: two lines each, header and payload
    URL _ TOPIC read-header   as read, in the header form

Names of fields are those of the file, numbers of 64 bits are text, as ProtoJSON has them.
"""

import base64
import json
import os
import sys

import grpc_tools
from confluent_kafka.schema_registry import (
    Schema,
    SchemaRegistryClient,
    header_schema_id_serializer,
    topic_subject_name_strategy,
)
from confluent_kafka.schema_registry.confluent.type import decimal_pb2  # noqa: F401, for the pool
from confluent_kafka.schema_registry.protobuf import ProtobufDeserializer, ProtobufSerializer
from confluent_kafka.serialization import MessageField, SerializationContext
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf import timestamp_pb2, wrappers_pb2  # noqa: F401
from google.type import date_pb2, timeofday_pb2  # noqa: F401
from grpc_tools import protoc


def compiled(name):
    """The descriptor that protoc makes of a file."""
    binary = os.path.join(os.getcwd(), name + ".bin")
    site = os.path.dirname(os.path.dirname(os.path.abspath(grpc_tools.__file__)))
    known = os.path.join(site, "grpc_tools", "_proto")
    arguments = ["protoc", "-I.", "-I" + known, "-I" + site, "--descriptor_set_out=" + binary, name]
    if protoc.main(arguments) != 0:
        sys.exit("protoc failed")
    files = descriptor_pb2.FileDescriptorSet()
    with open(binary, "rb") as file:
        files.ParseFromString(file.read())
    return files.file[0]


class Client(SchemaRegistryClient):
    """Compiles texts itself where the deserializer asks for descriptors, which Apicurio does not make of them."""

    def get_schema(self, schema_id, subject_name=None, fmt=None, reference_format=None):
        return in_format(super().get_schema(schema_id, subject_name, fmt, reference_format), fmt)

    def get_schema_by_guid(self, guid, fmt=None):
        return in_format(super().get_schema_by_guid(guid, fmt), fmt)


def in_format(schema, fmt):
    """The schema as a descriptor, where that is asked for."""
    if fmt != "serialized" or "message" not in schema.schema_str:
        return schema
    # Files are registered without the import of this option, as Confluent's client does it.
    text = schema.schema_str
    if "(confluent.field_meta)" in text:
        text = text.replace("\nmessage", '\nimport "confluent/meta.proto";\nmessage', 1)
    with open("registered.proto", "w") as file:
        file.write(text)
    descriptor = base64.standard_b64encode(compiled("registered.proto").SerializeToString())
    return Schema(descriptor.decode("ascii"), "PROTOBUF", schema.references)


def reading():
    """The class of the message."""
    pool = descriptor_pool.Default()
    pool.Add(compiled("exchange.proto"))
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("org.example.Reading"))


def messages(cls):
    """A message with everything, one with nothing, and one at the ends of what numbers can be."""
    full = json.load(open("full.json"))
    yield json_format.ParseDict(full, cls())
    yield cls()
    yield json_format.ParseDict(
        {
            "f_int32": -(2**31),
            "f_int64": str(-(2**63)),
            "f_uint32": 2**32 - 1,
            "f_uint64": str(2**64 - 1),
            "f_sint32": -(2**31),
            "f_sint64": str(2**63 - 1),
            "f_fixed32": 2**32 - 1,
            "f_sfixed64": str(-(2**63)),
            "f_status": "CLOSED",
            "f_place_choice": {"name": "there"},
            "f_timestamp": "0001-01-01T00:00:00Z",
        },
        cls(),
    )


def main():
    url, _, topic, what = sys.argv[1:5]
    cls = reading()
    client = Client({"url": url})
    what, in_header = what.removesuffix("-header"), what.endswith("-header")

    def context(headers):
        return SerializationContext(topic, MessageField.VALUE, headers)

    conf = {"subject.name.strategy": topic_subject_name_strategy}
    if what == "write":
        if in_header:
            conf["schema.id.serializer"] = header_schema_id_serializer
        serializer = ProtobufSerializer(cls, client, conf)
        for message in messages(cls):
            headers = []
            payload = serializer(message, context(headers))
            for _, name in headers:
                print(name.hex())
            print(payload.hex())
    else:
        deserializer = ProtobufDeserializer(cls, conf, client)
        lines = [bytes.fromhex(line.strip()) for line in open("messages.txt")]
        names, payloads = (lines[::2], lines[1::2]) if in_header else ([None] * len(lines), lines)
        for name, payload in zip(names, payloads):
            headers = [("__value_schema_id", name)] if in_header else []
            message = deserializer(payload, context(headers))
            print(json.dumps(json_format.MessageToDict(message, preserving_proto_field_name=True), sort_keys=True))


main()
