-- create
CREATE TABLE "sales"."Orders" (
"Id" BIGINT NOT NULL,
"part" VARCHAR NOT NULL,
"i8" TINYINT NULL,
"i16" SMALLINT NULL,
"i32" INTEGER DEFAULT 7,
"f32" FLOAT NULL,
"f64" FLOAT NOT NULL,
"flag" BOOLEAN DEFAULT TRUE,
"name" VARCHAR DEFAULT 'O''Hara \\',
"blob" BINARY DEFAULT x'00ff',
"amount" NUMBER(38,2) NULL,
"day" DATE DEFAULT '1970-01-01',
"time" TIME DEFAULT '00:00:01',
"at" TIMESTAMP_NTZ DEFAULT '1970-01-01 00:00:01.500',
"listed" TIMESTAMP_NTZ NULL,
PRIMARY KEY("Id","part"));

-- create without quoting
CREATE TABLE "ORDERS" (
"ID" BIGINT NOT NULL,
"PART" VARCHAR NOT NULL,
PRIMARY KEY("ID","PART"));

-- add columns
ALTER TABLE "sales"."Orders" ADD
"name" VARCHAR DEFAULT 'O''Hara \\',
"blob" BINARY DEFAULT x'00ff';

-- insert
INSERT INTO "sales"."Orders" ("Id","part","amount") VALUES (?,?,?);

-- stage
CREATE TEMPORARY TABLE "lavka_stage_1" AS SELECT "Id","part","amount" FROM "sales"."Orders" WHERE 1 = 0;

-- upsert
MERGE INTO "sales"."Orders" AS target USING "lavka_stage_1" AS incoming ON (target."Id" = incoming."Id" AND target."part" = incoming."part") WHEN MATCHED THEN UPDATE SET "amount" = incoming."amount" WHEN NOT MATCHED THEN INSERT ("Id", "part", "amount") VALUES (incoming."Id", incoming."part", incoming."amount");

-- upsert of keys alone
MERGE INTO "sales"."Orders" AS target USING "lavka_stage_1" AS incoming ON (target."Id" = incoming."Id" AND target."part" = incoming."part") WHEN NOT MATCHED THEN INSERT ("Id", "part") VALUES (incoming."Id", incoming."part");

-- update
UPDATE "sales"."Orders" SET "amount" = ? WHERE "Id" = ? AND "part" = ?;

-- delete
DELETE FROM "sales"."Orders" WHERE "Id" = ? AND "part" = ?;

-- truncate
DELETE FROM "sales"."Orders";

-- time
SELECT SYSDATE();

-- schema
SELECT CURRENT_SCHEMA();

-- zone
ALTER SESSION SET TIMEZONE = 'UTC';

