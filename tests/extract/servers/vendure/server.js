// A Vendure shop on an empty PostgreSQL database, with products, taxes, shipping and a dummy payment.
// Environment: PORT, DATABASE_URL, USERNAME and PASSWORD of the administrator. Prints "ready" once it serves.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { bootstrap, dummyPaymentHandler, DefaultLogger, LanguageCode, LogLevel } = require('@vendure/core');
const { importProductsFromCsv, populateInitialData } = require('@vendure/core/cli');

const PRODUCTS = 24;
const { PORT, DATABASE_URL, USERNAME, PASSWORD } = process.env;

const config = {
  apiOptions: { hostname: '127.0.0.1', port: Number(PORT) },
  authOptions: {
    tokenMethod: 'bearer',
    requireVerification: false,
    superadminCredentials: { identifier: USERNAME, password: PASSWORD },
  },
  dbConnectionOptions: { type: 'postgres', url: DATABASE_URL, synchronize: true },
  logger: new DefaultLogger({ level: LogLevel.Warn }),
  orderOptions: { orderItemsLimit: 10_000 },
  paymentOptions: { paymentMethodHandlers: [dummyPaymentHandler] },
};

const initialData = {
  defaultLanguage: LanguageCode.en,
  defaultZone: 'Europe',
  countries: [{ code: 'GB', name: 'United Kingdom', zone: 'Europe' }],
  taxRates: [{ name: 'Standard Tax', percentage: 20 }],
  shippingMethods: [{ name: 'Standard Shipping', price: 500 }],
  paymentMethods: [
    {
      name: 'Dummy payment',
      handler: { code: dummyPaymentHandler.code, arguments: [{ name: 'automaticSettle', value: 'true' }] },
    },
  ],
  collections: [],
};

// Every third product has two variants; a product's price in pounds is its number and 99 pence.
function productsCsv() {
  const rows = ['name,slug,description,assets,facets,optionGroups,optionValues,sku,price,taxCategory,stockOnHand,trackInventory,variantAssets,variantFacets'];
  for (let number = 1; number <= PRODUCTS; number++) {
    const tail = `${number}.99,standard,100000,false,,`;
    if (number % 3) {
      rows.push(`Product ${number},product-${number},,,,,,P${number},${tail}`);
    } else {
      rows.push(`Product ${number},product-${number},,,,size,small,P${number}-S,${tail}`);
      rows.push(`,,,,,,large,P${number}-L,${tail}`);
    }
  }
  return rows.join('\n') + '\n';
}

async function main() {
  const app = await bootstrap(config);
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'vendure-')), 'products.csv');
  fs.writeFileSync(file, productsCsv());
  await populateInitialData(app, initialData);
  const result = await importProductsFromCsv(app, file, LanguageCode.en);
  fs.rmSync(path.dirname(file), { recursive: true });
  if (result.errors?.length) {
    throw new Error(result.errors.join('\n'));
  }
  console.log('ready');
}

process.on('SIGTERM', () => process.exit(0));
main().catch(error => {
  console.error(error);
  process.exit(1);
});
