import { fireEvent, screen } from '@testing-library/react-native';
import { renderRouter } from 'expo-router/testing-library';

import { installFakeApi } from './fakeApi';

const mockStored = new Map<string, string>();

jest.mock('expo-secure-store', () => ({
  getItemAsync: async (key: string) => mockStored.get(key) ?? null,
  setItemAsync: async (key: string, value: string) => void mockStored.set(key, value),
  deleteItemAsync: async (key: string) => void mockStored.delete(key),
}));

jest.mock('expo-updates', () => ({
  channel: 'staging',
  updateId: 'an-update',
  runtimeVersion: 'a-fingerprint',
}));

beforeEach(() => {
  mockStored.clear();
  installFakeApi();
});

async function signIn(password: string) {
  fireEvent.changeText(await screen.findByLabelText('E-mail address'), 'ada@example.com');
  fireEvent.changeText(screen.getByTestId('password'), password);
  fireEvent.press(screen.getByRole('button', { name: 'Sign in' }));
}

test('a wrong password is explained and nothing is kept', async () => {
  renderRouter('./src/app');
  await signIn('wrong horse!');
  expect(await screen.findByText('The e-mail address or the password is wrong.')).toBeVisible();
  expect(mockStored.size).toBe(0);
});

test('a person signs in, writes a note and deletes it', async () => {
  renderRouter('./src/app');
  await signIn('correct horse');
  expect(await screen.findByText('No notes yet. Write down the first one above.')).toBeVisible();

  fireEvent.changeText(screen.getByLabelText('Title of the note'), 'Milk');
  fireEvent.press(screen.getByRole('button', { name: 'Add note' }));
  expect(await screen.findByText('Milk')).toBeVisible();
  expect(screen.getByLabelText('Title of the note')).toHaveProp('value', '');

  fireEvent.press(screen.getByRole('button', { name: 'Delete “Milk”' }));
  expect(await screen.findByText('No notes yet. Write down the first one above.')).toBeVisible();
});

describe('for a person who signed in before', () => {
  beforeEach(() => {
    mockStored.set('aios.session', JSON.stringify({ token: 'abc', email: 'ada@example.com' }));
  });

  test('the app opens on the notes', async () => {
    renderRouter('./src/app');
    expect(await screen.findByLabelText('Title of the note')).toBeVisible();
    expect(screen.queryByLabelText('E-mail address')).toBeNull();
  });

  test('a task is ticked off', async () => {
    renderRouter('./src/app', { initialUrl: '/tasks' });
    fireEvent.changeText(await screen.findByLabelText('What is to be done'), 'Call the bank');
    fireEvent.press(screen.getByRole('button', { name: 'Add task' }));
    fireEvent.press(await screen.findByRole('checkbox', { name: 'Call the bank' }));
    expect(await screen.findByRole('checkbox', { name: 'Call the bank', checked: true })).toBeVisible();
  });

  test('about names the app, its channel and the server, and signing out forgets the session', async () => {
    renderRouter('./src/app', { initialUrl: '/about' });
    expect(await screen.findByTestId('Greeting')).toHaveTextContent('Welcome to AIOS');
    expect(screen.getByTestId('Channel')).toHaveTextContent('staging');
    expect(screen.getByTestId('Update')).toHaveTextContent('an-update');

    fireEvent.press(screen.getByRole('button', { name: 'Sign out' }));
    expect(await screen.findByLabelText('E-mail address')).toBeVisible();
    expect(mockStored.size).toBe(0);
  });
});
