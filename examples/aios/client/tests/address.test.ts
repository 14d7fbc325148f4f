import { deriveApiAddress } from '@/api/address';

test.each([
  ['aios.app', 'https://api.aios.app'],
  ['staging.aios.localhost:8443', 'https://api.staging.aios.localhost:8443'],
  ['localhost:5000', 'http://localhost:5000'],
])('the API of %s is at %s', (domain, address) => {
  expect(deriveApiAddress(domain)).toBe(address);
});

test('an override wins, with or without a closing slash', () => {
  expect(deriveApiAddress('aios.app', 'http://192.168.0.7:5000/')).toBe('http://192.168.0.7:5000');
});
