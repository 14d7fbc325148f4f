export const up = (knex) =>
  knex.schema.createTable("notes", (table) => {
    table.increments();
    table.text("text").notNullable();
  });

export const down = (knex) => knex.schema.dropTable("notes");
