// A Medusa shop without its administration pages. Environment: DATABASE_URL.

const { defineConfig } = require('@medusajs/framework/utils');

module.exports = defineConfig({
  admin: { disable: true },
  projectConfig: {
    databaseUrl: process.env.DATABASE_URL,
    databaseDriverOptions: { connection: { ssl: false } },
    http: {
      adminCors: 'http://127.0.0.1',
      authCors: 'http://127.0.0.1',
      storeCors: 'http://127.0.0.1',
      cookieSecret: 'a secret for tests',
      jwtSecret: 'a secret for tests',
    },
  },
});
